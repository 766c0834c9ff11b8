"""The counter that can be tried without hardware."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pcsc
from tests.support.counter_server import AGENT, CODE, CounterServer
from tests.support.printers import require_printer
from xueka.entrypoints.cli import demo_counter
from xueka.kernel.errors import Refused


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(demo_counter.home, "home", lambda: tmp_path)
    monkeypatch.setattr(demo_counter.home, "made_home", lambda: tmp_path)
    return tmp_path


def test_it_asks_for_a_server(place: Path) -> None:
    with pytest.raises(Refused) as refusal:
        demo_counter.serving_at()
    assert refusal.value.code == "NOT_SERVING"
    (place / "serve.json").write_text(json.dumps({"address": "http://127.0.0.1:8000/"}))
    assert demo_counter.serving_at() == "http://127.0.0.1:8000"


def test_cards_and_agent_come_and_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pcsc.require()
    require_printer()
    monkeypatch.setenv("PYTHONPATH", str(pcsc.ROOT / "src"))
    said: list[str] = []
    known: list[str] = []
    with CounterServer() as server:

        def hand() -> Iterator[str]:
            pcsc.until(lambda: server.last_state(pcsc.READER) == "card", "the agent tells no card")
            pcsc.until(lambda: server.polls[-1]["printers"], "the agent tells no printer", seconds=40)
            yield "o\n"
            pcsc.until(lambda: server.last_state(pcsc.READER) == "empty", "the agent still tells a card")
            yield "\n"
            yield "\n"
            yield "?\n"
            yield "q\n"

        demo_counter.run(server.address, CODE, 2, hand(), said.append, known.append)
        assert server.problems == []
        assert demo_counter.enrolled(server.address)
        assert not demo_counter.enrolled("http://127.0.0.1:1")
    assert known == [AGENT]
    assert server.polls[-1]["printers"][0]["name"] == demo_counter.DEVICE
    assert "04a1b2c3000001" in said[0]
    assert said[1:] == [
        "第 1 张（04a1b2c3000001）已取出。",
        "第 2 张（04a1b2c3000002）在读卡器里。",
        "卡用完了。",
        demo_counter.HELP,
    ]
    assert not (place / "demo-counter" / "pcscd.comm").exists()

"""The counter that can be tried without hardware."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pcsc
from tests.support.counter_server import AGENT, CODE, CounterServer
from tests.support.printers import require_printer
from xueka.contexts.numbers import api as numbers
from xueka.contexts.printing import api as printing
from xueka.entrypoints.cli import demo_counter
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor


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
            yield "1\n"
            yield "0\n"
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
        "第 1 张（04a1b2c3000001）在读卡器里。",
        demo_counter.HELP,
        demo_counter.HELP,
    ]
    assert not (place / "demo-counter" / "pcscd.comm").exists()


@pytest.mark.django_db
def test_it_is_introduced_once(place: Path) -> None:
    """Printer and blanks of the demo are known to the city as any other."""
    actor = Actor.system("test")
    for _ in range(2):
        demo_counter.introduce(actor, AGENT, "", 3)
    [printer] = printing.printers(actor.scope)
    assert {each.level for each in printing.supplies(printer)} == {"ok"}
    blank = numbers.blank_with("04A1B2C3000003")
    assert blank is not None and (blank.position, numbers.blanks_left()) == (3, 3)


COUNTER = """
import sys
from xueka.entrypoints.cli import demo_counter
tell = lambda line: print(line, flush=True)
demo_counter.run(sys.argv[1], sys.argv[2], 2, demo_counter.typed(0), tell, tell)
"""


@pytest.mark.parametrize("end", ["kill", "interrupt", "terminate"])
def test_nothing_is_left_running(tmp_path: Path, end: str) -> None:
    """Killed outright, by Ctrl-C, by a service manager: cards, printer and agent end with it."""
    pcsc.require()
    require_printer()
    environment = {**os.environ, "PYTHONPATH": str(pcsc.ROOT / "src"), "XUEKA_HOME": str(tmp_path)}
    with CounterServer() as server:
        command = [sys.executable, "-c", COUNTER, server.address, CODE]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "start_new_session": True}
        with subprocess.Popen(command, env=environment, text=True, **pipes) as counter:  # type: ignore[call-overload]
            lines = list(itertools.takewhile(lambda line: "已就绪" not in line, counter.stdout))
            assert f"{AGENT}\n" in lines  # the agent's own line may stand before, behind or after
            pcsc.until(
                lambda: server.last_state(pcsc.READER) == "card", "the agent tells no card", seconds=60
            )
            children = descendants(counter.pid)
            names = " ".join(children.values())
            assert all(each in names for each in ("pcscd", "ippeveprinter", "dbus-daemon", "xueka.agent"))
            if end == "kill":
                counter.kill()
            else:
                os.killpg(counter.pid, signal.SIGINT if end == "interrupt" else signal.SIGTERM)
            counter.wait(60)
            assert counter.returncode == (-signal.SIGKILL if end == "kill" else 0)
        left = lambda: {pid: name for pid, name in children.items() if alive(pid)}  # noqa: E731
        pcsc.until(lambda: not left(), f"left running: {left()}", seconds=60)


def alive(pid: int) -> bool:
    """Also what ended and is waited for by nobody is over."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> dict[int, str]:
    """Command lines of all processes below this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
    found: dict[int, str] = {}
    layer = {pid}
    while layer := {child for child, parent in parents.items() if parent in layer}:
        for child in layer:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                line = (Path("/proc") / str(child) / "cmdline").read_bytes()
                found[child] = line.replace(b"\0", b" ").decode()
    return found

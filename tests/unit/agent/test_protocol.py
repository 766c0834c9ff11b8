"""Enrolling, refusals, clocks, print jobs: the agent without a reader."""

import asyncio
import base64
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pcsc
from tests.support.agents import AgentProcess
from tests.support.counter_server import CODE, CounterServer
from xueka.agent.__main__ import _printer
from xueka.agent.agent import Agent
from xueka.agent.identity import Identity
from xueka.agent.readers import Shown
from xueka.agent.server import Server, address_problem

pytest.importorskip("smartcard", reason="pyscard is missing: requirements/card.lock")


@pytest.fixture
def server() -> Iterator[CounterServer]:
    with CounterServer() as found:
        yield found


def test_wrong_code_is_said_and_the_next_one_works(server: CounterServer, tmp_path: Path) -> None:
    with AgentProcess(server.address, tmp_path) as agent:
        assert agent.wait() == 1
        assert "还没有登记" in agent.said
        agent.start("--enrol", "AAAA-BBBB-CCCC")
        assert agent.wait() == 1
        assert "登记码不对（CODE_WRONG）" in agent.said
        agent.start("--enrol", CODE)
        pcsc.until(lambda: server.polls, agent.said)
        assert agent.stop() == 0
        agent.start()
        pcsc.until(lambda: len(server.polls) > 1, agent.said)
    assert server.problems == []


def test_agent_enrolled_anew_gets_another_key(server: CounterServer, tmp_path: Path) -> None:
    with AgentProcess(server.address, tmp_path, "--enrol", CODE) as agent:
        pcsc.until(lambda: server.polls, agent.said)
        assert agent.stop() == 0
        before = Identity.open(tmp_path / "state").public_key
        server.known_keys.add(before)
        server.polls.clear()
        agent.start("--enrol", CODE)
        pcsc.until(lambda: server.polls, agent.said)
    assert Identity.open(tmp_path / "state").public_key != before
    assert server.problems == []


def test_agent_that_is_not_known_any_more_stops(server: CounterServer, tmp_path: Path) -> None:
    with AgentProcess(server.address, tmp_path, "--enrol", CODE) as agent:
        pcsc.until(lambda: server.polls, agent.said)
        server.refuse = (401, {"code": "AGENT_UNKNOWN", "title": "没有这个代理", "detail": "请重新登记。"})
        assert agent.wait() == 1
        assert "没有这个代理（AGENT_UNKNOWN）请重新登记。" in agent.said


def test_clock_that_is_wrong_is_corrected(server: CounterServer, tmp_path: Path) -> None:
    server.clock_ahead = 100_000
    with AgentProcess(server.address, tmp_path, "--enrol", CODE) as agent:
        pcsc.until(lambda: server.polls, agent.said)
    assert server.problems == []


def test_one_agent_for_each_state_folder(server: CounterServer, tmp_path: Path) -> None:
    with AgentProcess(server.address, tmp_path / "one", "--enrol", CODE) as first:
        pcsc.until(lambda: server.polls, first.said)
        options = ("--state", str(tmp_path / "one" / "state"))
        with AgentProcess(server.address, tmp_path / "two", *options) as second:
            assert second.wait() == 1
            assert "已有一个发卡代理" in second.said


def test_addresses() -> None:
    assert address_problem("https://xueka.example") is None
    assert address_problem("http://127.0.0.1:8000") is None
    assert "https://" in str(address_problem("http://xueka.example"))
    assert "https://" in str(address_problem("xueka.example"))
    assert _printer("证卡=ipp://10.0.0.9/ipp/print") == ("证卡", "ipp://10.0.0.9/ipp/print")
    assert _printer("ipp://10.0.0.9/ipp/print") == ("ipp://10.0.0.9/ipp/print",) * 2
    assert _printer("zebra") == ("zebra", "ipp://localhost:631/printers/zebra")
    with pytest.raises(ValueError):
        _printer("http://10.0.0.9/print")


@pytest.mark.parametrize("again", [False, True])
def test_print_job(
    again: bool, server: CounterServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is printed once, also when it is handed out twice."""
    printing = pytest.importorskip("xueka.agent.printing")
    seen = []

    def print_document(*job: object) -> object:
        seen.append(job)
        return printing.PrintResult("printed", "打印完成")

    monkeypatch.setattr(printing, "print_document", print_document)
    monkeypatch.setattr(printing, "printer_states", lambda uris: [_state(uri) for uri in uris])
    document = base64.b64encode(b"%PDF").decode()
    job = {"job": "88", "printer": "证卡", "media_type": "application/pdf", "document": document}
    server.prints += [{**job, "copies": 1, "title": "26000000017"}] * (2 if again else 1)
    ended = ("88", "printed")
    asyncio.run(_run_until(server, tmp_path, lambda: ended in server.printed and len(server.polls) > 3))
    assert seen == [("ipp://p/ipp/print", b"%PDF", "application/pdf", "26000000017", 1)]
    assert server.printed == [("88", "printing"), ended]
    assert server.polls[-1]["printers"] == [
        {**_state("ipp://p/ipp/print"), "name": "证卡", "state": "processing"}
    ]


def test_a_slow_printer_keeps_no_other_one_waiting(
    server: CounterServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each printer has its own queue; within one a job waits for the one before."""
    printing = pytest.importorskip("xueka.agent.printing")
    quick, at_work, most = threading.Event(), list[str](), list[int]()

    def print_document(uri: str, document: bytes, media_type: str, title: str, copies: int) -> object:
        at_work.append(uri)
        most.append(at_work.count(uri))
        if uri == "ipp://slow":
            quick.wait(10)
        else:
            quick.set()
        at_work.remove(uri)
        return printing.PrintResult("printed" if quick.is_set() else "unknown", "")

    monkeypatch.setattr(printing, "print_document", print_document)
    monkeypatch.setattr(printing, "printer_states", lambda uris: [])
    for job, printer in (("1", "慢"), ("2", "慢"), ("3", "快")):
        server.prints.append({"job": job, "printer": printer, "media_type": "application/pdf"})
        server.prints[-1] |= {"document": "", "copies": 1, "title": job}
    ended = {(job, "printed") for job in "123"}
    printers = {"慢": "ipp://slow", "快": "ipp://quick"}
    asyncio.run(_run_until(server, tmp_path, lambda: ended <= set(server.printed), printers))
    assert set(most) == {1}, "two jobs at a time in one printer"


@pytest.mark.parametrize("turns", range(6))
def test_told_to_stop_it_stops_though_a_reader_changes_in_that_moment(
    server: CounterServer, tmp_path: Path, turns: int
) -> None:
    async def play() -> None:
        agent = Agent(Server(server.address, Identity.open(tmp_path)), Identity.open(tmp_path), ["R"], {})
        resting = asyncio.create_task(agent._rest(10))
        await asyncio.sleep(0.01)
        agent._changed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        ended = resting.done()
        resting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await resting
        assert ended or resting.cancelled(), "it would go on"

    asyncio.run(play())


def test_a_reader_that_is_not_there_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    identity = Identity.open(tmp_path)
    agent = Agent(Server("http://127.0.0.1:9", identity), identity, ["R"], {})
    with caplog.at_level("INFO", "xueka.agent"):
        agent._see({"R": Shown()})
        agent._see({"R": Shown()})
    assert caplog.messages == ["读卡器 R：不在"]


def _state(uri: str) -> dict[str, str]:
    return {"name": "Zebra", "uri": uri, "state": "printing", "message": "打印中"}


async def _run_until(
    server: CounterServer, folder: Path, true: object, printers: dict[str, str] | None = None
) -> None:
    identity = Identity.open(folder)
    talking = Server(server.address, identity)
    answer = await talking.enrol(CODE, "柜台", "0.1.0")
    identity.enrolled(server.address, answer["agent"])
    stop = asyncio.Event()
    agent = Agent(talking, identity, ["R"], printers or {"证卡": "ipp://p/ipp/print"})
    running = asyncio.create_task(agent.run(stop))
    async with asyncio.timeout(20):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.05)
    stop.set()
    await running
    await talking.close()

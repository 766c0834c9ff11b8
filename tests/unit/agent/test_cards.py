"""The agent as a process, with pcscd, a virtual reader and a virtual card, against the written interface."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pcsc
from tests.support.agents import AgentProcess
from tests.support.counter_server import CODE, CounterServer

ATR = "3b8a80015855454b4156434152440b"
MASTER = ("00a40000023f00", "9000")
CHALLENGE = ("0084000008", "9000")
BLANK = {"script": ["80e0001507280020f0f0ffff"]}
WRITE = ("00d6950004cafe0001", "9000")
READ = ("00b0950004", "9000")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[pcsc.Daemon]:
    with pcsc.running(tmp_path) as found:
        yield found


@pytest.fixture
def server() -> Iterator[CounterServer]:
    with CounterServer() as found:
        yield found
        assert found.problems == []


@pytest.fixture
def agent(server: CounterServer, tmp_path: Path) -> Iterator[AgentProcess]:
    pcsc.require()
    with AgentProcess(server.address, tmp_path / "agent", "--enrol", CODE) as found:
        yield found


def test_session_of_several_runs(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    server.add("s1", [MASTER, CHALLENGE], [WRITE], [READ])
    server.add("s2", [READ])
    server.hold = 20  # a card that is laid on the reader is told at once all the same
    pcsc.until(lambda: server.last_state(pcsc.READER) == "empty", agent.said)
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK) as card:
        pcsc.until(lambda: server.outcomes("s2") == ["done"], "the sessions do not end")
        assert server.outcomes("s1") == ["done", "done", "done"]
        bodies = [body for _, _, body in server.reports]
        assert bodies[0]["atr"] == bodies[3]["atr"] == ATR
        assert bodies[1]["atr"] == ""
        assert len(bodies[0]["answers"][1]["data"]) == 16
        assert bodies[2]["answers"][0]["data"] == "cafe0001"
        assert card.say("state")["commands"] == 5
    pcsc.until(lambda: server.last_state(pcsc.READER) == "empty", "the empty reader is not told")
    assert "cafe0001" not in agent.said
    assert agent.stop() == 0


def test_card_that_is_laid_down_after_the_run_was_handed_out(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, empty=True) as card:
        server.early = True
        server.add("s1", [MASTER, READ])
        pcsc.until(lambda: server.handed, "no run is taken")
        assert not server.reports
        card.say("take 0")
        pcsc.until(lambda: server.outcomes("s1") == ["done"], "the card was not waited for")
        card.say("pull")
        server.add("s2", [MASTER])
        pcsc.until(lambda: server.outcomes("s2") == ["pulled"], "none comes, and nothing is said")


def test_unexpected_word_stops_the_run(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    server.add("s1", [MASTER, ("00b0990001", "9000"), WRITE])
    server.add("s2", [("0020000003111111", "63c?"), ("0020000003111111", "94??")])
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK):
        pcsc.until(lambda: server.outcomes("s2"), "no report")
    assert server.outcomes("s1") == ["stopped"]
    assert [one["sw"] for one in server.reports[0][2]["answers"]] == ["9000", "6a82"]
    assert [one["sw"] for one in server.reports[1][2]["answers"]] == ["9403"]


def test_card_of_t0(daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path) -> None:
    """What such a card leaves to be fetched is fetched, and told as one answer."""
    server.add("s1", [MASTER, ("00a40000023f0000", "9000"), ("00b09500ff", "9000"), WRITE, CHALLENGE])
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, atr="3b6800005444534d01020304") as card:
        pcsc.until(lambda: server.outcomes("s1") == ["done"], "no report")
        answers = server.reports[0][2]["answers"]
        assert answers[0]["data"] == answers[1]["data"] != ""
        assert answers[2]["data"] == "00" * 32
        assert card.say("state")["commands"] == 8  # two GET RESPONSE, one command repeated with its length


@pytest.mark.parametrize("effect", ["before", "after"])
def test_card_pulled_in_the_middle(
    effect: str, daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    """The answers up to there are told; the card that comes back is taken for what it is."""
    server.add("s1", [MASTER, READ, WRITE, CHALLENGE])
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, faults=f"{effect}@3", back=1):
        pcsc.until(lambda: server.outcomes("s1"), "no report")
        assert server.outcomes("s1") == ["pulled"]
        assert [one["data"] for one in server.reports[0][2]["answers"]][1] == "00000000"
        server.add("s2", [READ])
        pcsc.until(lambda: server.outcomes("s2"), "the card does not come back")
    found = server.reports[1][2]["answers"][0]["data"]
    assert found == ("cafe0001" if effect == "after" else "00000000")


def test_pcscd_dies_and_comes_back(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, faults="slow=200"):
        server.add("s1", [MASTER, *[READ] * 40])
        pcsc.until(lambda: server.last_state(pcsc.READER) == "card", "no card")
        pcsc.until(lambda: _answered(agent, 2), "no run")
        daemon.kill()
        pcsc.until(lambda: server.outcomes("s1"), "no report")
        assert server.outcomes("s1") == ["reader_gone"]
        assert 2 <= len(server.reports[0][2]["answers"]) < 40
        pcsc.until(lambda: server.last_state(pcsc.READER) == "gone", "the reader's absence is not told")
        daemon.start()
        server.add("s2", [READ])
        pcsc.until(lambda: server.outcomes("s2") == ["done"], "no work after the restart")


def test_command_that_never_returns(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    server.add("s1", [MASTER, READ, CHALLENGE], seconds=1)
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, faults="hang@2") as card:
        pcsc.until(lambda: server.outcomes("s1"), "no report")
        assert server.outcomes("s1") == ["timeout"]
        assert [one["sw"] for one in server.reports[0][2]["answers"]] == ["9000"]
        card.say("pull")
        pcsc.until(lambda: server.last_state(pcsc.READER) == "empty", "the pulled card is not told")
        server.add("s2", [READ])
        card.say("insert")
        pcsc.until(lambda: server.outcomes("s2") == ["done"], agent.said)


def _take_out(card: pcsc.CardProcess, server: CounterServer, daemon: pcsc.Daemon) -> None:
    """The virtual driver may block its service for good when a card leaves that hung while it was switched
    on; the machine's supervisor would start the service again.
    """
    card.say("pull")
    end = time.monotonic() + 10
    while server.last_state(pcsc.READER) != "empty" and time.monotonic() < end:
        time.sleep(0.02)
    if server.last_state(pcsc.READER) != "empty":
        daemon.kill()
        daemon.start()
    pcsc.until(lambda: server.last_state(pcsc.READER) == "empty", "the pulled card is not told")


def test_connecting_that_never_returns(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    """The driver waits for ever for an answer to reset: the process that called it is given up."""
    server.add("s1", [MASTER, READ], seconds=1)
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, count=2, faults="hang@0") as card:
        pcsc.until(lambda: server.outcomes("s1") == ["timeout"], agent.said)
        assert server.reports[0][2]["answers"] == []
        _take_out(card, server, daemon)
        server.add("s2", [READ])
        card.say("faults")
        card.say("next")
        pcsc.until(lambda: server.outcomes("s2") == ["done"], agent.said)


def test_server_is_down_for_a_while(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    server.add("s1", [MASTER, CHALLENGE], [READ])
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, faults="slow=100") as card:
        pcsc.until(lambda: server.last_state(pcsc.READER) == "card", "no card")
        server.down = True
        pcsc.until(lambda: card.say("state")["commands"] == 2 and "503" in agent.said, agent.said)
        server.down = False
        pcsc.until(lambda: server.outcomes("s1") == ["done", "done"], "no report")
        assert [run for _, run, _ in server.reports] == ["s1-1", "s1-2"]
        assert card.say("state")["commands"] == 3


def test_killed_between_the_card_and_the_acknowledgement(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    """The run is told once more, from the disk, and nothing of it reaches the card again."""
    server.add("s1", [MASTER, WRITE], [READ])
    server.swallow = 1
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK) as card:
        pcsc.until(lambda: server.reports, "no report")
        agent.kill()
        agent.start()
        pcsc.until(lambda: len(server.outcomes("s1")) == 2, "no report after the restart")
        assert server.outcomes("s1") == [
            "done",
            "interrupted",
        ]  # the second builds on a card that lost its power
        assert card.say("state")["commands"] == 2
        first = [body for _, run, body in server.reports if run == "s1-1"]
        assert len(first) >= 2
        assert all(body == first[0] for body in first)
        pcsc.until(lambda: server.last_state(pcsc.READER) == "card", "the reader is not free")


def test_killed_in_the_middle_of_a_run(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    server.add("s1", [MASTER, *[READ] * 40])
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, faults="slow=100") as card:
        pcsc.until(lambda: _answered(agent, 3), "no run")
        agent.kill()
        written = [path for path in (agent.log.parent / "state").rglob("*") if path.is_file()]
        kept = [path.read_bytes() for path in written]
        time.sleep(0.3)  # the command under way
        sent = card.say("state")["commands"]
        time.sleep(0.5)
        assert card.say("state")["commands"] == sent, "its child goes on without it"
        agent.start()
        pcsc.until(lambda: server.outcomes("s1"), "no report after the restart")
        assert server.outcomes("s1") == ["interrupted"]
        assert 3 <= len(server.reports[0][2]["answers"]) < 40
        assert card.say("state")["commands"] < 40
        assert {path.name for path in written} >= {"agent.key", "agent.json"}
        assert len(written) >= 4  # the run's file among them
        assert not any(READ[0].encode() in content for content in kept)  # no command on the disk


def test_told_to_stop_it_ends_the_run_first(
    daemon: pcsc.Daemon, server: CounterServer, agent: AgentProcess, tmp_path: Path
) -> None:
    server.add("s1", [MASTER, *[READ] * 10])
    with pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, faults="slow=100") as card:
        pcsc.until(lambda: _answered(agent, 3), "no run")
        assert agent.stop() == 0
        assert card.say("state")["commands"] == 11
        agent.start()
        pcsc.until(lambda: server.outcomes("s1") == ["done"], "no report")


def _answered(agent: AgentProcess, count: int) -> bool:
    """The run under way has so many answers on disk."""
    files = (agent.log.parent / "state" / "journal").glob("run_*.jsonl")
    return any(path.read_bytes().count(b'"sw"') >= count for path in files)

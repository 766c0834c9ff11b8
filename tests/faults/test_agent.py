"""The issuing agent under kill -9, a readers' service that dies, a server that is away, cards that are
pulled.

Whatever happens: no run reaches a card twice, each run that was handed out is reported, always with the
same body, and in the end there is work again.
"""

import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support import pcsc
from tests.support.agents import AgentProcess
from tests.support.counter_server import CODE, CounterServer
from tests.support.size import dial

SESSIONS = dial(8, 200)
SEED = 20261126
READ = ("00b0950004", "9000")
BLANK = {"script": ["80e0001507280020f0f0ffff", "80e00005072c1800f0f0ffff"]}  # data, and records for notes


@pytest.fixture
def server() -> Iterator[CounterServer]:
    with CounterServer() as found:
        yield found


def test_trouble_of_every_kind(server: CounterServer, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}, {SESSIONS} sessions")
    counted: Counter[str] = Counter()
    cards = tmp_path / "cards"
    cards.mkdir()
    with (
        pcsc.running(tmp_path) as daemon,
        pcsc.CardProcess(daemon.port, tmp_path, blank=BLANK, folder=cards, faults="slow=8") as card,
        AgentProcess(server.address, tmp_path / "agent", "--enrol", CODE) as agent,
    ):
        pcsc.until(lambda: server.polls, agent.said)
        for number in range(SESSIONS):
            session = f"s{number}"
            server.add(session, *[[_note(number, run), READ, READ] for run in range(4)], seconds=2)
            pcsc.until(partial(_handed, server, session), agent.said, seconds=60)
            time.sleep(dice.uniform(0, 0.15))
            trouble = dice.choice(("agent", "agent", "service", "server", "acknowledgement", "card"))
            counted[trouble] += 1
            _make(trouble, dice, server, daemon, agent, card)
            words = f"session {session} after trouble with the {trouble} (seed {SEED}): {agent.said}"
            pcsc.until(partial(_over, server, session), words, seconds=60)
        server.add("last", [READ])
        pcsc.until(lambda: server.outcomes("last") == ["done"], agent.said, seconds=60)
        assert agent.stop() == 0
    notes = _notes(cards / "0000.json")
    print(dict(counted))
    assert server.problems == []
    twice = {note: count for note, count in Counter(notes).items() if count > 1}
    assert not twice, f"reached the card more than once (seed {SEED}): {twice}"
    for run in {run for _, run, _ in server.reports}:
        bodies = [body for _, name, body in server.reports if name == run]
        assert all(body == bodies[0] for body in bodies), f"{run} (seed {SEED})"
    reported = {run for _, run, _ in server.reports}
    told = {
        _place(run)
        for _, run, body in server.reports
        if body["answers"] and body["answers"][0]["sw"] == "9000"
    }
    assert told - {_place("last")} <= set(notes)
    assert len(reported) > SESSIONS


def _make(
    trouble: str,
    dice: random.Random,
    server: CounterServer,
    daemon: pcsc.Daemon,
    agent: AgentProcess,
    card: pcsc.CardProcess,
) -> None:
    if trouble == "agent":
        agent.kill()
        agent.start()
    elif trouble == "service":
        daemon.kill()
        time.sleep(dice.uniform(0, 0.5))
        daemon.start()
    elif trouble == "server":
        server.down = True
        time.sleep(dice.uniform(0, 2))
        server.down = False
    elif trouble == "acknowledgement":
        server.swallow = 1
        time.sleep(dice.uniform(0, 0.3))
        with contextlib.suppress(AssertionError):
            pcsc.until(lambda: server.swallow == 0, "", seconds=1)
        agent.kill()
        agent.start()
    else:
        card.say("pull")
        card.say("insert")


def _note(session: int, run: int) -> tuple[str, str]:
    """APPEND RECORD: what reaches the card leaves a line there."""
    return f"00e2002804{session:02x}{run + 1:02x}0000", "9000"


def _place(run: str) -> str:
    session, _, number = run.partition("-")
    return f"{int(session[1:]):02x}{int(number):02x}0000" if session != "last" else ""


def _notes(image: Path) -> list[str]:
    """What the card's memory holds."""
    files = json.loads(image.read_text())["master"]["files"]
    return [record for file in files if file["fid"] == 5 for record in file["records"]]


def _handed(server: CounterServer, session: str) -> bool:
    return any(name == session for name, _ in server.handed)


def _over(server: CounterServer, session: str) -> bool:
    """All of it is reported, or the reader shows a card again and nothing is under way."""
    handed = {run for name, run in server.handed if name == session}
    reported = {run for name, run, _ in server.reports if name == session}
    if handed <= reported and not server.sessions[session]:
        return True
    return server.last_state(pcsc.READER) == "card"

"""The card as a terminal sees it: pcscd, vpcd, pyscard. The terminal is a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import pcsc

TERMINAL = """
import json, sys
from smartcard.System import readers
connection = readers()[0].createConnection()
connection.connect()
for line in sys.argv[1:]:
    data, one, two = connection.transmit(list(bytes.fromhex(line)))
    print(json.dumps([bytes(data).hex(), f"{one:02x}{two:02x}"]))
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[pcsc.Daemon]:
    with pcsc.running(tmp_path) as found:
        yield found


def terminal(*commands: str) -> tuple[list[list[str]], str]:
    """Answers, and what went wrong."""
    done = subprocess.run(
        [sys.executable, "-c", TERMINAL, *commands], capture_output=True, text=True, timeout=60, check=False
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def ready(*commands: str) -> list[list[str]]:
    """As `terminal`, once the reader has seen the card."""
    found: list[list[str]] = []

    def answered() -> bool:
        found[:] = terminal(*commands)[0]
        return bool(found)

    pcsc.until(answered, "the reader sees no card")
    return found


def test_blanks_one_after_another(daemon: pcsc.Daemon, tmp_path: Path) -> None:
    with pcsc.CardProcess(daemon.port, tmp_path, count=3) as card:
        uids = []
        for _ in range(2):
            answers = ready("ffca000000", "00a40000023f00", "0084000008")
            uids.append(answers[0][0])
            assert [word for _, word in answers] == ["9000"] * 3
            assert len(answers[2][0]) == 16
            card.say("next")
        assert uids == ["a1000000", "a1000001"]
        last = card.say("pull")
        assert (last["place"], last["left"], last["inserted"], last["commands"]) == (2, 0, False, 0)


def test_pulled_card_gives_no_answer_and_comes_back(daemon: pcsc.Daemon, tmp_path: Path) -> None:
    with pcsc.CardProcess(daemon.port, tmp_path, faults="after@2", back=1) as card:
        pcsc.until(lambda: terminal("0084000008")[0], "the reader sees no card")
        answers, error = terminal("0084000004", "0084000008")
        assert answers == []
        assert "Error" in error or "Exception" in error
        assert card.say("state")["pulled"]["effect"] == "after"
        assert ready("0084000008")[0][1] == "9000"


def test_card_survives_the_death_of_its_process(daemon: pcsc.Daemon, tmp_path: Path) -> None:
    blank = {"script": ["80e0001507280008f0f0ffff"]}
    card = pcsc.CardProcess(daemon.port, tmp_path, blank=blank, folder=tmp_path)
    assert ready("00d6950002beef")[0][1] == "9000"
    card.kill()
    with pcsc.CardProcess(daemon.port, tmp_path, blank=blank, folder=tmp_path):
        assert ready("00b0950002") == [["beef", "9000"]]

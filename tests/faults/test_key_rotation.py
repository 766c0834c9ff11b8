"""Wrapping keys are rotated while cards are made, and the re-wrapping is killed at random blocks.

No card goes without its keys, every block is under the new version in the end, every check value is right.
"""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_backup import answer, environment, xueka
from tests.support.size import dial

SEED = 20261126
KILLS = dial(3, 60)


@pytest.mark.parametrize(("label", "most"), [("kek.card", 9), ("local", 1)])
def test_rotated_under_load_and_killed(label: str, most: int, tmp_path: Path) -> None:
    """`most`: so many blocks at most before a kill; below the local key there are but two."""
    print(f"seed {SEED}")
    tmp_path.chmod(0o711)  # the database's user passes through
    for above in tmp_path.parents[:2]:
        above.chmod(0o711)
    home, chance = tmp_path / "home", random.Random(SEED)
    maker = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.card_maker"],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert maker.stdout
    try:
        assert maker.stdout.readline() == "ready\n"
        killed = 0
        while not _rotated(home, label, chance.randint(0, most) if killed < KILLS else None):
            killed += 1
        assert killed
    finally:
        maker.send_signal(signal.SIGTERM)
        told = maker.stdout.readlines()
        maker.stdout.close()
        maker.wait(60)
    result = json.loads(told[-1])
    print(f"{label}: {killed} kills, {result['made']} cards")
    assert result["failed"] == []
    assert result["made"] > 20
    verified = answer(xueka(home, "keys", "verify", "--json"))
    assert (verified["findings"], verified["locked"]) == ([], [])
    assert _left(home, label) == []
    assert [each for each in answer(xueka(home, "verify", "--json"))["invariants"] if each["violated"]] == []


def _rotated(home: Path, label: str, blocks: int | None) -> bool:
    """Run the rotator; kill it after so many blocks. Whether it came to its end."""
    command = [sys.executable, "-m", "tests.faults.key_rotator", label]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        for place, line in enumerate(running.stdout):
            if line == "done\n":
                return True
            if place == blocks:
                os.kill(running.pid, signal.SIGKILL)
                break
    assert running.returncode == -signal.SIGKILL
    return False


def _left(home: Path, label: str) -> list[Any]:
    """Versions of the key that wraps others though it is not the active one, as the list tells."""
    listed = {key["label"]: key for key in answer(xueka(home, "keys", "list", "--json"))["keys"]}
    states = {each["version"]: each["state"] for each in listed[label]["versions"]}
    assert states == {1: "verify_only", 2: "active"}
    return [
        (key["label"], each["version"])
        for key in listed.values()
        for each in key["versions"]
        if each["wrapped_by"] == f"{label}/1"
    ]

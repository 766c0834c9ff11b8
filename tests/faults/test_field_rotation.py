"""The field key is rotated while sealed values are read and written, and the work is killed inside any piece.

No value is unreadable at any moment, no change is lost; in the end all is under the new version, the old one
retired. Small in CI; XUEKA_TEST_SIZE=full kills 60 times.
"""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.faults.test_backup import answer, environment, xueka
from tests.support.size import dial

SEED = 20261126
KILLS = dial(2, 60)


def test_rotated_under_load_and_killed(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    tmp_path.chmod(0o711)  # the database's user passes through
    for above in tmp_path.parents[:2]:
        above.chmod(0o711)
    home, chance = tmp_path / "home", random.Random(SEED)
    town = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.field_town"],
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert town.stdout
    killed = 0
    try:
        assert town.stdout.readline() == "ready\n"
        while not _rotated(home, chance.randint(0, 1) if killed < KILLS else None):
            killed += 1
    finally:
        town.send_signal(signal.SIGTERM)
        told = town.stdout.readlines()
        town.stdout.close()
        town.wait(120)
    result = json.loads(told[-1])
    print(f"{killed} kills, {result['changes']} changes, {result['stored']} files")
    assert result["failed"] == []
    assert killed and result["changes"] > 20 and result["stored"]
    listed = {key["label"]: key for key in answer(xueka(home, "keys", "list", "--json"))["keys"]}
    states = {each["version"]: each["state"] for each in listed["platform.fields"]["versions"]}
    assert states == {1: "retired", 2: "active"}
    verified = answer(xueka(home, "keys", "verify", "--json"))
    assert (verified["findings"], verified["locked"]) == ([], [])
    invariants = {each["name"]: each for each in answer(xueka(home, "verify", "--json"))["invariants"]}
    assert [name for name, each in invariants.items() if each["violated"]] == []
    assert invariants["keys_field_key_in_service"]["checked"] >= 2


def _rotated(home: Path, pieces: int | None) -> bool:
    """Run the rotator; kill it inside the piece after so many. Whether it came to its end."""
    command = [sys.executable, "-m", "tests.faults.field_rotator"]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        for place, line in enumerate(running.stdout):
            if line == "done\n":
                return True
            if place == pieces:
                os.kill(running.pid, signal.SIGKILL)
                break
    assert running.returncode == -signal.SIGKILL
    return False

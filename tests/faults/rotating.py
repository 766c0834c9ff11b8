"""What the tests of both rotations do: work goes on beside it, and the rotator is killed at its pieces."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.test_backup import environment
from tests.support import prepared_home


def home_in(tmp_path: Path) -> Path:
    tmp_path.chmod(0o711)  # the database's user passes through
    for above in tmp_path.parents[:2]:
        above.chmod(0o711)
    return prepared_home.lay_out(tmp_path / "home")


@contextmanager
def beside(module: str, home: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """A process that works there until the block ends; what it answers afterwards tells what it did."""
    told: list[str] = []
    working = subprocess.Popen(
        [sys.executable, "-m", module], env=environment(home), stdout=subprocess.PIPE, text=True
    )
    assert working.stdout
    try:
        assert working.stdout.readline() == "ready\n"
        yield lambda: json.loads(told[-1])  # type: ignore[no-any-return]
    finally:
        working.send_signal(signal.SIGTERM)
        told += working.stdout.readlines()
        working.stdout.close()
        working.wait(120)


def rotate(home: Path, chance: random.Random, kills: int, most: int, module: str, *arguments: str) -> int:
    """Run the rotator to its end, killed `kills` times before that if it lasts so long; how often it was.

    It says a line for every piece; a kill falls into the one after 0 to `most` of them.
    """
    killed = 0
    while not _to_its_end(home, chance.randint(0, most) if killed < kills else None, module, *arguments):
        killed += 1
    return killed


def _to_its_end(home: Path, pieces: int | None, *module: str) -> bool:
    command = [sys.executable, "-m", *module]
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

"""The processes of an installation, run and killed: web, worker, bureau, the line to it, PostgreSQL."""

import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from pathlib import Path

from xueka.platform.database import location, server
from xueka.platform.supervisor.children import Child, Supervisor

WEB, WORKER, BUREAU, TRANSFER, POSTGRES = "web", "worker", "bureau", "transfer", "postgres"
KINDS = (WEB, WORKER, BUREAU, TRANSFER, POSTGRES)
DYING = "tests.faults.dying_worker"
RESTART_AFTER = 0.1  # seconds; waiting longer each time is tested with the supervisor


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Floor:
    """Keeps five kinds of processes running until told to stop, and counts whom it killed."""

    def __init__(self, home: Path, line_rate: float) -> None:
        self.home, self.deaths = home, home / "deaths"
        self.killed: Counter[str] = Counter()
        self.bureau_port, self.line_port = free_port(), free_port()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        descriptor = str(self.listener.fileno())
        bureau = ["--home", str(home / "bureau"), "--port", str(self.bureau_port), "--seed", "1"]
        line = [str(self.line_port), str(self.bureau_port), str(line_rate)]
        self.children = {
            # It serves as `xueka web` does, until the dying worker comes (dying_worker.py).
            WEB: Child(
                WEB,
                _python(DYING, str(self.deaths), descriptor),
                descriptors=[int(descriptor)],
            ),
            WORKER: Child(WORKER, _python("xueka", "worker")),
            BUREAU: Child(BUREAU, _python("xueka.sandbox.bureau", *bureau)),
            TRANSFER: Child(TRANSFER, _python("tests.faults.relay", *line)),
        }
        self.supervisor = Supervisor(list(self.children.values()), lambda line: None)

    def tick(self) -> None:
        """One look at everybody; who is dead is started again. With the dying worker the dying begins."""
        if DYING in self.children[WORKER].command:
            self.deaths.touch()
        for child in self.children.values():
            child.delay = RESTART_AFTER
        self.supervisor.tick()
        server.revive()

    def kill(self, kind: str) -> bool:
        """kill -9; False where there is nobody to kill just now."""
        if kind == POSTGRES:
            pid = _postmaster()
            if pid is None:
                return False
            os.kill(pid, signal.SIGKILL)
        else:
            child = self.children[kind]
            if child.process is None or child.process.poll() is not None:
                return False
            child.signal(signal.SIGKILL)
        self.killed[kind] += 1
        return True

    def end(self) -> None:
        self.supervisor.end()
        self.listener.close()


class Killer:
    """Kills at random moments, every kind in turn, until it has done its number."""

    def __init__(self, floor: Floor, number: int, seed: int, pause: float) -> None:
        self.floor, self.dice, self.pause = floor, random.Random(seed), pause
        self.left = [KINDS[index % len(KINDS)] for index in range(number)]
        self.dice.shuffle(self.left)
        self.due = 0.0

    def tick(self) -> None:
        now = time.monotonic()
        if self.left and now >= self.due:
            if self.floor.kill(self.left[-1]):
                self.left.pop()
            self.due = now + self.dice.uniform(0, 2 * self.pause)


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def _postmaster() -> int | None:
    try:
        return int((location.place().data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None

"""pcscd with a virtual reader and a virtual card, for one test.

libpcsclite finds the service by PCSCLITE_CSOCK_NAME, which it reads once in a process: the path is the same
for all the services of one test process, and children inherit it.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from tests.support import parts
from xueka.sandbox.card import service
from xueka.sandbox.card.service import READER, ReaderService

__all__ = ["READER", "CardProcess", "Daemon", "missing", "require", "running", "until"]

ROOT = Path(__file__).resolve().parents[2]
SOCKET = Path(tempfile.gettempdir()) / f"xueka-pcscd-{os.getpid()}.comm"
os.environ["PCSCLITE_CSOCK_NAME"] = str(SOCKET)


def missing() -> list[str]:
    """What this machine lacks, with the package that brings it."""
    found = service.missing()
    if importlib.util.find_spec("smartcard") is None:
        found.append("pyscard (requirements/card.lock; apt: libpcsclite-dev gcc)")
    return found


def require() -> None:
    parts.require("the virtual card reader", missing())


class Daemon(ReaderService):
    """The service of this test process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SOCKET)


class CardProcess:
    """`python -m xueka.sandbox.card` in the reader; options as the command's."""

    def __init__(self, port: int, home: Path, blank: Any = None, **options: Any) -> None:
        command = [sys.executable, "-m", "xueka.sandbox.card", "--port", str(port)]
        if blank is not None:
            file = home / "blank.json"
            file.write_text(json.dumps(blank))
            command += ["--blank", str(file)]
        for name, value in options.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.first = self._answer()

    def say(self, line: str) -> dict[str, Any]:
        """One command to the hand; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        assert "error" not in answer, answer
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._leave()

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._leave()

    def _leave(self) -> None:
        self._process.wait(timeout=20)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the card's process has ended"
        return dict(json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """A pcscd with two empty virtual readers inside this block; skips where parts are missing."""
    require()
    daemon = Daemon(folder)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def until(true: Any, otherwise: str, seconds: float = 60) -> None:
    """Wait for it; a test that waits in vain fails with this sentence."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)

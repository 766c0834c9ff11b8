"""The issuing agent as a process, as a counter PC runs it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.support import pcsc

ROOT = Path(__file__).resolve().parents[2]


def _code(options: Sequence[str]) -> tuple[str, ...]:
    place = options.index("--enrol") if "--enrol" in options else len(options)
    return tuple(options[place : place + 2])


class AgentProcess:
    """`xueka-agent` with this state folder; what it says is in `log`."""

    def __init__(
        self, server: str, folder: Path, *options: str, readers: Sequence[str] = (pcsc.READER,)
    ) -> None:
        self.log = folder / "agent.log"
        self._command = [
            sys.executable,
            "-m",
            "xueka.agent",
            "--server",
            server,
            "--state",
            str(folder / "state"),
        ]
        for reader in readers:
            self._command += ["--reader", reader]
        folder.mkdir(parents=True, exist_ok=True)
        self._command += [each for each in options if each not in _code(options)]
        self.start(*_code(options))

    def start(self, *more: str) -> None:
        """The one-time code is given at the first start only."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*self._command, *more], stdout=log, stderr=log, env=environment)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=20)

    def stop(self) -> int:
        """As its user stops it; the exit code."""
        self._process.terminate()
        return self._process.wait(timeout=30)

    def wait(self) -> int:
        return self._process.wait(timeout=60)

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.kill()

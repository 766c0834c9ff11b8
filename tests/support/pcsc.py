"""pcscd with a virtual reader, for one test: its own socket, its own ports, ended by its process id.

pcscd takes its listening socket as systemd would hand it over (LISTEN_FDS), so that several can run side by
side and none takes the machine's own away (they share its pid file alone). libpcsclite finds it by
PCSCLITE_CSOCK_NAME, which it reads once in a process: the path is the same for all the daemons of one test
process, and children inherit it.
"""

import contextlib
import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
RUN = Path("/run/pcscd")
SOCKET = Path(tempfile.gettempdir()) / f"xueka-pcscd-{os.getpid()}.comm"
READER = "Virtual PCD 00 00"
os.environ["PCSCLITE_CSOCK_NAME"] = str(SOCKET)

_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def missing() -> list[str]:
    """What this machine lacks, with the package that brings it."""
    found = []
    if shutil.which("pcscd", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        found.append("pcscd (apt: pcscd)")
    if not DRIVER.exists():
        found.append("the virtual reader (apt: vsmartcard-vpcd)")
    if importlib.util.find_spec("smartcard") is None:
        found.append("pyscard (requirements/card.lock; apt: libpcsclite-dev gcc)")
    if os.getuid() and not RUN.is_dir():
        found.append("/run/pcscd (start pcscd once, or make the folder as root)")
    return found


def require() -> None:
    """Skip, and say what is missing; in CI that is a failure."""
    if lacking := missing():
        text = "no virtual card reader here: " + ", ".join(lacking)
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(text)
        pytest.skip(text)


class Daemon:
    """One pcscd. After `kill` it can be started again on the same ports, as after a crash."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_ports()
        self._log = folder / "pcscd.log"
        self._configuration = folder / "reader.conf.d"
        self._configuration.mkdir(parents=True, exist_ok=True)
        (self._configuration / "vpcd").write_text(
            f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x{self.port:04X}\n'
            f"LIBPATH {DRIVER}\nCHANNELID 0x{self.port:04X}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        SOCKET.unlink(missing_ok=True)
        binary = shutil.which("pcscd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert binary is not None
        with socket.socket(socket.AF_UNIX) as listening, self._log.open("ab") as log:
            listening.bind(str(SOCKET))
            listening.listen(16)
            command = [sys.executable, "-c", _START, str(listening.fileno()), binary]
            self._process = subprocess.Popen(
                [*command, "--foreground", "-c", str(self._configuration)],
                pass_fds=[listening.fileno()],
                stdout=log,
                stderr=log,
            )
        until(lambda: _listening(self.port), f"pcscd does not listen: {self._log}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=20)
            self._process = None
        SOCKET.unlink(missing_ok=True)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


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


def until(true: Any, otherwise: str, seconds: float = 20) -> None:
    """Wait for it; a test that waits in vain fails with this sentence."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)


def _free_ports() -> int:
    """The first of two neighbours that nobody listens on, below those that the system gives away."""
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as two:
            one.bind(("", port))
            two.bind(("", port + 1))
            return port


def _listening(port: int) -> bool:
    """Asked of the kernel: to connect would put a card in."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(fields[1].endswith(f":{port:04X}") and fields[3] == "0A" for fields in map(str.split, lines))

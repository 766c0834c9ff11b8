"""A PC/SC service with virtual readers: own socket, own ports, ended with the process that started it.

pcscd takes its listening socket as systemd would hand it over (LISTEN_FDS), so that several can run side by
side and none takes the machine's own away (they share its pid file alone).
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
RUN = Path("/run/pcscd")
READER = "Virtual PCD 00 00"
SYSTEM_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
START_LIMIT, END_LIMIT = 20.0, 20.0

_START = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: not without whoever started it
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def missing() -> list[str]:
    """What this machine lacks, with the Debian package that brings it."""
    found = []
    if shutil.which("pcscd", path=SYSTEM_PATH) is None:
        found.append("pcscd (apt: pcscd)")
    if not DRIVER.exists():
        found.append("the virtual reader (apt: vsmartcard-vpcd)")
    if os.getuid() and not RUN.is_dir():
        found.append("/run/pcscd (start pcscd once, or make the folder as root)")
    return found


class ReaderService:
    """One pcscd with two empty virtual readers; clients find it by PCSCLITE_CSOCK_NAME = `socket_path`.

    After `kill` it can be started again on the same ports, as after a crash.
    """

    def __init__(self, folder: Path, socket_path: Path) -> None:
        self.port = _free_ports()
        self.socket_path = socket_path
        self.log = folder / "pcscd.log"
        self._configuration = folder / "reader.conf.d"
        self._configuration.mkdir(parents=True, exist_ok=True)
        (self._configuration / "vpcd").write_text(
            f'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x{self.port:04X}\n'
            f"LIBPATH {DRIVER}\nCHANNELID 0x{self.port:04X}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it listens; OSError when it does not."""
        self.socket_path.unlink(missing_ok=True)
        binary = shutil.which("pcscd", path=SYSTEM_PATH)
        if binary is None:
            raise FileNotFoundError("pcscd")
        with socket.socket(socket.AF_UNIX) as listening, self.log.open("ab") as log:
            listening.bind(str(self.socket_path))
            listening.listen(16)
            command = [sys.executable, "-c", _START, str(listening.fileno()), binary]
            self._process = subprocess.Popen(
                [*command, "--foreground", "-c", str(self._configuration)],
                pass_fds=[listening.fileno()],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_LIMIT
        while not _listening(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                raise OSError(f"pcscd does not listen: {self.log}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=END_LIMIT)
            self._process = None
        self.socket_path.unlink(missing_ok=True)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


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

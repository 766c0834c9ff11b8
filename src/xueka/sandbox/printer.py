"""`python -m xueka.sandbox.printer FOLDER`: a real IPP printer on the loopback, Debian's `ippeveprinter`.

What it prints lies in FOLDER/printed. One line of JSON says its address; it ends when standard input does.
The program insists on a D-Bus to look for DNS-SD; a private, empty bus lets it start where no Avahi runs.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SEARCHED = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
PARTS = {"ippeveprinter": "cups-ipp-utils", "dbus-daemon": "dbus"}
START_LIMIT = 15.0
_START = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: not without whoever started it
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Running:
    """`printed` is where the documents that came out lie."""

    uri: str
    printed: Path
    process: subprocess.Popen[bytes]


def missing() -> list[str]:
    """Debian packages that this machine lacks for it."""
    return [package for part, package in PARTS.items() if not shutil.which(part, path=SEARCHED)]


@contextmanager
def running(folder: Path, *, command: str = "", formats: str = "application/pdf") -> Iterator[Running]:
    """A printer whose documents land in `folder`/printed; or `command` (shell) is run for each.

    Its standard error may say `STATE: +media-jam-error`, its exit code 1 that the job is aborted.
    """
    printed, spool = folder / "printed", folder / "spool"
    for each in (printed, spool):
        each.mkdir(parents=True, exist_ok=True)
    program = folder / "backend"
    keep = f'cp "$1" {printed}/'
    program.write_text(f"#!/bin/sh\n{command or keep}\n")
    program.chmod(0o755)
    port, bus = _free_port(), folder / "bus"
    bus.unlink(missing_ok=True)
    address = f"unix:path={bus}"
    environment = {**os.environ, "PATH": SEARCHED, "DBUS_SYSTEM_BUS_ADDRESS": address}
    daemon_command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"]
    printer_command = [
        *("ippeveprinter", "-r", "off", "-p", str(port), "-n", "localhost", "-d", str(spool)),
        *("-c", str(program), "-f", formats, "Card printer"),
    ]
    with (folder / "printer.log").open("wb") as log:
        start = [sys.executable, "-c", _START]
        daemon = subprocess.Popen([*start, *daemon_command], stdout=log, stderr=log, env=environment)
        try:
            _until(bus.exists)
            process = subprocess.Popen([*start, *printer_command], stdout=log, stderr=log, env=environment)
            try:
                _until(lambda: _answers(port))
                yield Running(f"ipp://localhost:{port}/ipp/print", printed, process)
            finally:
                _end(process)
        finally:
            _end(daemon)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + START_LIMIT
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the IPP printer did not start")
        time.sleep(0.05)


def main() -> None:
    if lacking := missing():
        sys.exit(", ".join(lacking))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
    with running(Path(sys.argv[1])) as found:
        sys.stdout.write(json.dumps({"uri": found.uri, "printed": str(found.printed)}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()

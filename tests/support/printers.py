"""A real IPP printer in a process of its own: Debian's `ippeveprinter`, on the loopback.

It insists on a D-Bus to look for DNS-SD; a private, empty bus lets it start where no Avahi runs.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_PATH = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
PARTS = ("ippeveprinter", "dbus-daemon")


@dataclass(frozen=True)
class Printer:
    """`printed` is where the documents that came out lie."""

    uri: str
    printed: Path
    process: subprocess.Popen[bytes]

    def documents(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted(self.printed.iterdir())]


def require_printer() -> None:
    """Skip where the machine has no such program; under CI that is a failure."""
    missing = [part for part in PARTS if not shutil.which(part, path=_PATH)]
    try:
        import pyipp  # noqa: F401
    except ModuleNotFoundError:
        missing.append("pyipp")
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing for the IPP printer: {missing} (cups-ipp-utils, dbus, requirements/card.lock)")
    if missing:
        pytest.skip(
            f"no IPP printer on this machine: {missing} (cups-ipp-utils, dbus, card.lock)",
            allow_module_level=True,
        )


@contextmanager
def ipp_printer(folder: Path, *, command: str = "", formats: str = "application/pdf") -> Iterator[Printer]:
    """A printer whose documents land in `folder`/printed; or `command` (shell) is run for each.

    Its standard error may say `STATE: +media-jam-error`, its exit code 1 that the job is aborted.
    """
    require_printer()
    printed, spool = folder / "printed", folder / "spool"
    printed.mkdir(parents=True), spool.mkdir()
    program = folder / "backend"
    keep = f'cp "$1" {printed}/'
    program.write_text(f"#!/bin/sh\n{command or keep}\n")
    program.chmod(0o755)
    port = _free_port()
    bus = f"unix:path={folder}/bus"
    with (folder / "printer.log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}"],
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": _PATH},
        )
        try:
            _until((folder / "bus").exists)
            process = subprocess.Popen(
                [
                    *("ippeveprinter", "-r", "off", "-p", str(port), "-n", "localhost", "-d", str(spool)),
                    *("-c", str(program), "-f", formats, "Card printer"),
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": _PATH, "DBUS_SYSTEM_BUS_ADDRESS": bus},
            )
            try:
                _until(lambda: _answers(port))
                yield Printer(f"ipp://localhost:{port}/ipp/print", printed, process)
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


def _until(holds: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the IPP printer did not start")
        time.sleep(0.05)

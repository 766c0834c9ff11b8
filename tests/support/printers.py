"""The sandbox's IPP printer, for a test."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.parts import require
from xueka.sandbox import printer as sandbox


@dataclass(frozen=True)
class Printer:
    """`printed` is where the documents that came out lie."""

    uri: str
    printed: Path
    process: subprocess.Popen[bytes]

    def documents(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted(self.printed.iterdir())]


def require_printer() -> None:
    missing = sandbox.missing()
    try:
        import pyipp  # noqa: F401
    except ModuleNotFoundError:
        missing.append("pyipp (requirements/card.lock)")
    require("the IPP printer", missing)


@contextmanager
def ipp_printer(folder: Path, *, command: str = "", formats: str = "application/pdf") -> Iterator[Printer]:
    """A printer whose documents land in `folder`/printed; or `command` (shell) is run for each."""
    require_printer()
    with sandbox.running(folder, command=command, formats=formats) as found:
        yield Printer(found.uri, found.printed, found.process)

"""What a counterpart's process takes on its command line, and how it lives and ends."""

import argparse
from pathlib import Path
from typing import Protocol

from xueka.sandbox.common import http


class House(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


def parser(name: str, description: str | None, *, speed: str) -> argparse.ArgumentParser:
    """The options that all of them take; `speed` says which times that option divides."""
    made = argparse.ArgumentParser(prog=f"python -m xueka.sandbox.{name}", description=description)
    made.add_argument("--home", type=Path, required=True)
    made.add_argument("--port", type=int, default=0, help="0: the one used before, else any free one")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--faults", choices=("none", "light", "heavy"), default="none")
    made.add_argument("--dial", default="", help="NAME=RATE,… on top of --faults")
    made.add_argument("--speed", type=float, default=1.0, help=f"divides the times {speed}")
    made.add_argument("--notices", choices=("push", "pull"), default="push", help="pull: they are fetched")
    return made


def run(house: House) -> None:
    """Until it is interrupted, or its parent has gone."""
    house.start()
    try:
        http.until_orphaned()
    except KeyboardInterrupt:
        pass
    finally:
        house.stop()

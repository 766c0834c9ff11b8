"""`python -m xueka.sandbox.card`: a stack of blanks beside a virtual reader, and a hand that feeds it.

Commands on standard input, one a line, each answered by one line of JSON: `insert` (the present card),
`pull`, `next` (the next fresh blank), `take N` (the card at that place of the stack, counted from 0),
`faults TEXT` (for the present card and those not yet shown), `state`, `quit`. The end of the input is `quit`.
"""

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from xueka.sandbox.card.faults import Faults
from xueka.sandbox.card.memory import Card
from xueka.sandbox.card.service import ReaderService, missing
from xueka.sandbox.card.slot import Plastic, Slot
from xueka.sandbox.card.system import Blank, System

SOCKET = "pcscd.comm"
ATR = "3b8a80015855454b4156434152440b"  # contactless: T=1


class Stack:
    """The blanks in their order. With a folder each card keeps its memory there as `NNNN.json`."""

    def __init__(self, specs: list[dict[str, Any]], atr: bytes, faults: Faults, folder: Path | None) -> None:
        self._specs, self._atr, self._folder = specs, atr, folder
        self.faults = faults
        self._cards: dict[int, Plastic] = {}

    def __len__(self) -> int:
        return len(self._specs)

    def card(self, place: int) -> Plastic:
        """The card at this place, made when it is first asked for. IndexError beyond the stack."""
        if place not in range(len(self)):
            raise IndexError(place)
        if place not in self._cards:
            system = System(self._made(place))
            self._cards[place] = Plastic(place, system, self._atr)
            self.disturb(place)
        return self._cards[place]

    def disturb(self, place: int) -> None:
        """Set this card's faults as the dial stands now."""
        card = self._cards[place]
        card.happening, card.slow = self.faults.of_card(place), self.faults.slow
        if self.faults.worn is not None:
            card.system.card.endurance = self.faults.worn

    def _made(self, place: int) -> Card:
        path = self._folder / f"{place:04}.json" if self._folder else None
        if path and path.exists():
            return Card.load(path)
        return Blank.read(self._specs[place]).make(path)


def specifications(path: Path | None, count: int) -> list[dict[str, Any]]:
    """A blank for each card: the file is a list of them, or one that is made `count` times, uids in a row."""
    found = json.loads(path.read_text("utf-8")) if path else {}
    if isinstance(found, list):
        return found
    first = bytes.fromhex(found.get("uid", "a1000000"))
    start = int.from_bytes(first)
    return [{**found, "uid": (start + place).to_bytes(len(first)).hex()} for place in range(count)]


class Feeder:
    def __init__(self, stack: Stack, slot: Slot, place: int) -> None:
        self._stack, self._slot, self._place = stack, slot, place

    def obey(self, line: str) -> dict[str, Any]:
        verb, _, rest = line.strip().partition(" ")
        if verb == "insert":
            self._put(self._place)
        elif verb == "pull":
            self._slot.pull()
        elif verb in {"next", "take"}:
            self._put(self._place + 1 if verb == "next" else int(rest))
        elif verb == "faults":
            self._stack.faults = Faults.read(rest)
            self._stack.card(self._place)
            self._stack.disturb(self._place)
        elif verb != "state":
            raise ValueError(f"not a command: {line.strip()}")
        return self.state()

    def _put(self, place: int) -> None:
        card = self._stack.card(place)
        if self._slot.inserted and self._place == place:
            return
        self._slot.pull()
        self._place = place
        self._slot.insert(card)

    def state(self) -> dict[str, Any]:
        card = self._stack.card(self._place)
        memory = card.system.card
        return {
            "place": card.place,
            "left": len(self._stack) - 1 - card.place,
            "inserted": self._slot.inserted,
            "uid": memory.uid.hex(),
            "commands": card.commands,
            "writes": memory.writes,
            "pulled": card.pulled,
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m xueka.sandbox.card", description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int, help="of vpcd's slot")
    place.add_argument("--pcscd", type=Path, metavar="DIR", help="run a pcscd too, with this socket's folder")
    parser.add_argument("--atr", default=ATR, metavar="HEX")
    parser.add_argument("--blank", type=Path, metavar="FILE", help="JSON: one blank, or a list of them")
    parser.add_argument("--count", type=int, default=1, help="cards in the stack")
    parser.add_argument("--folder", type=Path, help="where the cards keep their memory")
    parser.add_argument("--place", type=int, default=0, help="the first card")
    parser.add_argument("--faults", default="", metavar="TEXT")
    parser.add_argument(
        "--back", type=float, metavar="SECONDS", help="a pulled card is put in again after that"
    )
    parser.add_argument("--empty", action="store_true", help="begin with an empty slot")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        _work(options, stack)


def _work(options: argparse.Namespace, leaving: contextlib.ExitStack) -> None:
    """Until the input ends."""
    try:
        port = options.port or _own_service(options.pcscd, leaving)
        faults = Faults.read(options.faults)
        specs = specifications(options.blank, options.count)
        stack = Stack(specs, bytes.fromhex(options.atr), faults, options.folder)
        feeder = Feeder(stack, Slot(port, back=options.back), options.place)
        if not options.empty:
            feeder.obey("insert")
        _say(feeder.state())
    except (OSError, ValueError, TypeError, IndexError) as error:
        sys.exit(f"card: {type(error).__name__}: {error}")
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        try:
            _say(feeder.obey(line))
        except (ValueError, IndexError) as error:
            _say({"error": f"{type(error).__name__}: {error}"})
    feeder.obey("pull")


def _own_service(folder: Path, leaving: contextlib.ExitStack) -> int:
    """A pcscd that lives as long as this process; the port of its first slot."""
    if lacking := missing():
        raise OSError(", ".join(lacking))
    service = ReaderService(folder, folder / SOCKET)
    service.start()
    leaving.callback(service.stop)
    return service.port


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

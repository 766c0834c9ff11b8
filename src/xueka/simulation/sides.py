"""What is common to the counterparts' sides, and their lines in the report (`agreement`)."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from xueka.simulation.beside import Counterpart


@dataclass(frozen=True, slots=True)
class Line:
    """One counterpart in the report. `sent`, `kept`: by both sides; `refused`: calls, letters, files that the
    dial or a rule turned away; `differing`: of what was compared, or not at its end.
    """

    counterpart: str
    sent: int
    kept: int
    repeated: int
    refused: int
    compared: int
    differing: int
    faults: int


def table(lines: Sequence[Line]) -> str:
    names = tuple(each.name for each in fields(Line))
    rows = [names, *(tuple(map(str, astuple(each))) for each in lines)]
    return "\n".join("  ".join(f"{value:>12}" for value in row) for row in rows)


class Side(Counterpart, ABC):
    """One counterpart and our own part of the work with it."""

    name = ""

    def __init__(self, card: Mapping[str, Any]) -> None:
        where = card.get("control") or card.get("base") or card["issuer"]
        super().__init__(str(where), str(card["control_token"]))

    def turn(self, **values: object) -> None:
        self.control("PUT", "dial", values)

    def faults(self) -> int:
        return len(self.control("GET", "faults"))

    @abstractmethod
    def sweep(self) -> None:
        """What the worker does, once; and the letters of theirs."""

    def waiting(self) -> int:
        """How many things are under way."""
        return 0

    @abstractmethod
    def line(self) -> Line:
        """What both sides hold, compared."""

    def close(self) -> None:
        """Their clock goes on as the wall clock does."""
        self.keep_time(None)

    def told(self) -> dict[str, int]:
        """Their own letters: `told` by them, `forged` in their name, `waiting` to be sent."""
        found: dict[str, int] = self.control("GET", "told")
        return found

    def letters(self) -> list[tuple[dict[str, Any], bytes]]:
        return [(each, base64.b64decode(each["body"])) for each in self.control("GET", "notices?all=1")]

    def answer(self, letter: Mapping[str, Any], status: int, said: bytes = b"") -> None:
        self.control("POST", f"notices/{letter['id']}", {"status": status, "body": said.decode()})


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> int:
    return sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys())

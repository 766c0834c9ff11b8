"""Series of numbers: how a serial becomes a number, and whether two series meet."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from xueka.kernel.identifiers import card_number

CARD = "card"
TRANSIT = "transit"
BEIJING_TONG = "beijing_tong"

#: The serial of our own card number has nine digits behind the two of the year.
CARD_WIDTH = 9
CARD_LAST = 999_999_999


@cache
def patterns() -> dict[str, str]:
    """The configured form of each sort's numbers (data/sorts.toml)."""
    text = resources.files("xueka.contexts.numbers").joinpath("data/sorts.toml").read_text(encoding="utf-8")
    return {sort: table["pattern"] for sort, table in tomllib.loads(text).items()}


def fits(sort: str, number: str) -> bool:
    """Whether a number has the form that is configured for its sort."""
    return re.fullmatch(patterns()[sort], number, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Series:
    """`prefix` + serial filled with zeros to `width` digits; card numbers carry a check digit behind."""

    sort: str
    prefix: str
    width: int
    first: int
    last: int

    def number(self, serial: int) -> str:
        """The number of a serial."""
        if self.sort == CARD:
            return card_number(2000 + int(self.prefix), serial)
        return f"{self.prefix}{serial:0{self.width}d}"

    def holds(self, number: str) -> bool:
        """Whether `number` is one of this series (of a sort without check digit)."""
        serial = number[len(self.prefix) :]
        return (
            len(number) == len(self.prefix) + self.width
            and number.startswith(self.prefix)
            and serial.isascii()
            and serial.isdigit()
            and self.first <= int(serial) <= self.last
        )

    def meets(self, other: "Series") -> bool:
        """Whether a number is in both, however prefix and width cut it."""
        if self.sort != other.sort or len(self.prefix) + self.width != len(other.prefix) + other.width:
            return False
        mine, theirs = self._span(), other._span()
        return mine[0] == theirs[0] and mine[1] <= theirs[2] and theirs[1] <= mine[2]

    def _span(self) -> tuple[str, int, int]:
        """The letters in front, and the first and last value of all digits behind them."""
        letters = self.prefix.rstrip("0123456789")
        digits = self.prefix[len(letters) :]
        return (
            letters,
            int(f"{digits}{self.first:0{self.width}d}"),
            int(f"{digits}{self.last:0{self.width}d}"),
        )

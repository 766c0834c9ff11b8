"""What an import did, and how its findings are put into words."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xueka.kernel.errors import LineProblem
from xueka.kernel.masking import mask_id

LISTED = 50_000
"""So many errors, warnings and differences a report lists one by one; beyond it only counts them."""

_UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
_LONG_NUMBER = re.compile(r"[0-9０-９]{11,}")


@dataclass(frozen=True, slots=True)
class Difference:
    """A student whom the file shows at another school. `pending`: both districts have yet to confirm."""

    line: int
    education_id: str
    from_school: str
    to_school: str
    pending: bool

    def as_dict(self) -> dict[str, object]:
        return {
            "line": self.line,
            "education_id": self.education_id,
            "from_school": self.from_school,
            "to_school": self.to_school,
            "pending": self.pending,
        }


@dataclass(slots=True)
class ImportReport:
    """`rows` = created + updated + unchanged + rejected; errors and warnings in the order of their lines."""

    dry_run: bool = False
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    moved: int = 0
    transfers: int = 0
    errors: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    unlisted: int = 0

    def add_errors(self, found: Sequence[LineProblem]) -> None:
        self._add(self.errors, found)

    def add_warnings(self, found: Sequence[LineProblem]) -> None:
        self._add(self.warnings, found)

    def add_differences(self, found: Sequence[Difference]) -> None:
        self._add(self.differences, found)

    def _add(self, listed: list[Any], found: Sequence[Any]) -> None:
        room = LISTED - len(listed)
        listed.extend(found[:room])
        self.unlisted += max(0, len(found) - room)

    def in_order(self) -> "ImportReport":
        """Sort what later steps added between earlier lines."""
        self.errors.sort(key=lambda problem: problem.line)
        self.warnings.sort(key=lambda problem: problem.line)
        self.differences.sort(key=lambda difference: difference.line)
        return self

    def counts(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
            "moved": self.moved,
            "transfers": self.transfers,
        }

    def as_dict(self) -> dict[str, object]:
        """The JSON of `xueka roster import` (spec: commands); `unlisted` counts what the lists leave out."""
        return {
            **self.counts(),
            "dry_run": self.dry_run,
            "errors": [problem.as_dict() for problem in self.errors],
            "warnings": [problem.as_dict() for problem in self.warnings],
            "differences": [difference.as_dict() for difference in self.differences],
            "unlisted": self.unlisted,
        }


def printable(text: str, instead: str) -> str:
    """Control characters and lone surrogates, which neither paper nor database takes, replaced."""
    return "".join(instead if unicodedata.category(char) in _UNPRINTABLE else char for char in text)


def shown(value: str) -> str:
    """A found value fit for a report: short, printable, and a long number in a wrong column masked."""
    value = printable(_LONG_NUMBER.sub(lambda number: mask_id(number[0]), value), "\ufffd")
    return value if len(value) <= 40 else value[:40] + "…"


def sentence(line: int, column: str, what: str, *, value: str, expected: str = "", action: str) -> str:
    """Where, what was read, what was expected, what to do – in the one manner of all error texts."""
    read = f"读到“{value}”" if value else "读到空白"
    wanted = f"，应为{' ' if expected[:1].isascii() else ''}{expected}" if expected else ""
    return f"第 {line} 行「{column}」：{what.rstrip('。')}。{read}{wanted}。{action}"

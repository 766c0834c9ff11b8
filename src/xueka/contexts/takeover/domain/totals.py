"""Control totals: what the manifest tells and what the files hold, side by side."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from xueka.contexts.takeover.domain import format as f

ROWS, SUM = "行数", "合计"
_DIGITS = re.compile(r"\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Total:
    """One control total; `told` is None where the manifest is silent."""

    part: str
    item: str
    told: int | None
    found: int

    @property
    def agrees(self) -> bool:
        return self.told == self.found

    def as_dict(self) -> dict[str, object]:
        return {
            "part": self.part,
            "item": self.item,
            "told": self.told,
            "found": self.found,
            "agrees": self.agrees,
        }


def weight(value: str) -> int:
    """What one line adds to the sum: the number formed by the last nine digits of its key."""
    digits = "".join(_DIGITS.findall(value))[-9:]
    return int(digits) if digits else 0


def group(part: f.Part, cells: Mapping[str, str]) -> str:
    """The group in which a line is counted: card kind and state as written, or the state alone."""
    words = [cells.get(key, "").strip() for key in ("kind", "sort", "state") if key in cells]
    return "/".join(word for word in words if word)


def compare(told: Mapping[tuple[str, str], int], found: Mapping[str, Counter[str]]) -> list[Total]:
    """Every total that either side has: rows and sum of each file, then its groups."""
    result = []
    for code in f.PARTS:
        items = [item for part, item in told if part == code]
        ours = found.get(code, Counter())
        if code not in found and not items:
            continue
        ordered = dict.fromkeys([ROWS, SUM, *sorted(set(items) | set(ours))])
        result += [Total(code, item, told.get((code, item)), ours.get(item, 0)) for item in ordered]
    return result

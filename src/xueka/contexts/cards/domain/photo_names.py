"""Whose photo is a file, by its name? Certain by a number, likely by a name or by a number mistyped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_RUN = re.compile(r"(?<![0-9A-Za-z])[0-9]+[Xx]?(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class Child:
    """One of those for whom photos are expected."""

    id: int
    education_id: str
    name: str


def numbers(stem: str) -> list[str]:
    """Whole numbers in a file name: 20260001_王子涵 (1) → 20260001, 1. The whole stem comes first."""
    return list(dict.fromkeys([stem.strip(), *_RUN.findall(stem)]))


def certain(stem: str, by_education_id: Mapping[str, int]) -> int | None:
    """The one child whose education ID stands in the name as a whole number."""
    found = {by_education_id[number] for number in numbers(stem) if number in by_education_id}
    return found.pop() if len(found) == 1 else None


def likely(stem: str, children: Iterable[Child]) -> int | None:
    """The one child whose name is in the file's, or whose education ID is one slip of the finger away."""
    children = list(children)
    named = _longest([child for child in children if child.name in stem])
    if named:
        return named[0].id if len(named) == 1 else None
    slips = [
        child for child in children if any(_one_slip(number, child.education_id) for number in numbers(stem))
    ]
    return slips[0].id if len(slips) == 1 else None


def _longest(children: Sequence[Child]) -> list[Child]:
    """Of 王子 and 王子涵 in one file name, 王子涵 is meant."""
    most = max((len(child.name) for child in children), default=0)
    return [child for child in children if len(child.name) == most]


def _one_slip(read: str, meant: str) -> bool:
    """One digit wrong, missing or too many, or two neighbours exchanged."""
    if len(read) == len(meant):
        wrong = [place for place, pair in enumerate(zip(read, meant, strict=True)) if pair[0] != pair[1]]
        exchanged = (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and read[wrong[0]] == meant[wrong[1]]
            and read[wrong[1]] == meant[wrong[0]]
        )
        return len(wrong) == 1 or exchanged
    short, long = sorted((read, meant), key=len)
    return len(long) == len(short) + 1 and any(
        long[:cut] + long[cut + 1 :] == short for cut in range(len(long))
    )

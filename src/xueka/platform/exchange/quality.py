"""How good the data of an interface are, by day: four measures, each a share of two counts.

Who speaks an interface knows what its rows mean, and has a `Source`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils.module_loading import import_string

COMPLETE, VALID, ACCURATE, TIMELY = "complete", "valid", "accurate", "timely"
MEASURES = {COMPLETE: "完整", VALID: "有效", ACCURATE: "准确", TIMELY: "及时"}

#: So many good ones of so many; nothing of nothing is no measure.
Share = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one measure counts at an interface, in words; where it does not apply, why."""

    words: str
    applies: bool = True


def without(words: str) -> Meaning:
    return Meaning(words, applies=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Who measures some interfaces. `meanings` of all four: by the beginning of a code, or by kind.

    `taken` gives the shares of what happened from one moment up to another, by code and measure.
    """

    meanings: Mapping[str, Mapping[str, Meaning]]
    taken: Callable[[datetime, datetime], Mapping[str, Mapping[str, Share]]]


def sources() -> list[Source]:
    """One beside each that tells how an interface stands: `QUALITY` of the module `quality` there."""
    homes = [path.rpartition(".")[0].rpartition(".")[0] for path in settings.INTERFACES]
    return [import_string(f"{home}.quality.QUALITY") for home in homes]


def meaning(code: str, kind: str) -> Mapping[str, Meaning]:
    """What the measures of an interface mean; empty: nobody measures it."""
    known = {named: each for source in sources() for named, each in source.meanings.items()}
    return known.get(kind) or next((known[each] for each in known if code.startswith(each)), {})

"""The rules of the school year as data: what came with the product, and what this installation changed."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from django.conf import settings

from xueka.contexts.schoolyear.domain.rules import CardRule, read_card_rules


@dataclass(frozen=True, slots=True)
class Rules:
    """data/rules.toml, where each value is explained."""

    undo_days: int
    second_person_levels: list[str]
    second_person_kinds: list[str]
    season_begins: tuple[int, int]
    promoting: list[str]
    promotion_needs_graduation: bool
    promotion_needs_lists: bool
    graduates: dict[str, CardRule]
    going_on_inside: bool
    going_on_exchange: bool


@cache
def rules() -> Rules:
    """The rules in force; a change of the file is read at the next start."""
    shipped = resources.files("xueka.contexts.schoolyear").joinpath("data/rules.toml")
    known = tomllib.loads(shipped.read_text(encoding="utf-8"))
    own = settings.XUEKA_HOME / "schoolyear.toml"
    if own.exists():
        known = _over(known, tomllib.loads(own.read_text(encoding="utf-8")))
    month, day = known["season_begins"]
    return Rules(
        known["undo_days"],
        known["second_person_levels"],
        known["second_person_kinds"],
        (month, day),
        known["promoting"],
        known["promotion_needs_graduation"],
        known["promotion_needs_lists"],
        read_card_rules(known["graduates"]),
        known["going_on"]["inside"],
        known["going_on"]["exchange"],
    )


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    return below | {
        key: _over(below[key], value)
        if isinstance(value, dict) and isinstance(below.get(key), dict)
        else value
        for key, value in above.items()
    }

"""The configuration that comes with the context as data files (folder data)."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple


class LostEffect(NamedTuple):
    """When a reported loss takes effect in a system; `note` may be empty."""

    system: str
    when: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class PhotoRule:
    """data/photo_rule.toml, where each value is explained."""

    width: int
    height: int
    max_bytes: int
    ratio_tolerance: float
    smallest_scale: float
    light_from: int
    plain_within: int
    face_light_from: int
    person_from: float
    unused_days: int
    upload_max_bytes: int
    upload_max_pixels: int


def _read(name: str) -> dict[str, Any]:
    file = resources.files("xueka.contexts.cards").joinpath(f"data/{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def lost_effects() -> list[LostEffect]:
    """What a reported loss means for each system, in the order to show, unless a kind says otherwise."""
    return [LostEffect(**each) for each in _read("lost_effects")["effect"]]


@cache
def photo_rule() -> PhotoRule:
    """The photo rule in force."""
    return PhotoRule(**_read("photo_rule"))


def card_kinds() -> dict[str, dict[str, Any]]:
    """The kinds that a new installation begins with: code → fields of CardKind."""
    return _read("card_kinds")

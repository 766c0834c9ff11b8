"""The words for families that come with the context as a data file (folder data)."""

import tomllib
from functools import cache
from importlib import resources


@cache
def _words() -> dict[str, dict[str, str]]:
    file = resources.files("xueka.contexts.replacements").joinpath("data/words.toml")
    found: dict[str, dict[str, str]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return found


def purse_words(reason: str) -> str:
    """What becomes of the transit purse."""
    return _words()["purse"][reason]


def transit_words() -> str:
    """What a family must know of the transit validity."""
    return _words()["transit"]["validity"]


def place_words(delivery: str) -> str:
    """Where the card is collected."""
    return _words()["place"][delivery]

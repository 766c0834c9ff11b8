"""Wrapping keys are rotated while cards are made, and the re-wrapping is killed at random blocks.

No card goes without its keys, every block is under the new version in the end, every check value is right.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rotating import beside, home_in, rotate
from tests.faults.test_backup import answer, xueka
from tests.support.size import dial

SEED = 20261126
KILLS = dial(3, 60)


@pytest.mark.parametrize(("label", "most"), [("kek.card", 9), ("local", 1)])
def test_rotated_under_load_and_killed(label: str, most: int, tmp_path: Path) -> None:
    """`most`: so many blocks at most before a kill; below the local key there are but two."""
    print(f"seed {SEED}")
    home, chance = home_in(tmp_path), random.Random(SEED)
    with beside("tests.faults.card_maker", home) as done:
        killed = rotate(home, chance, KILLS, most, "tests.faults.key_rotator", label)
        assert killed
    result = done()
    print(f"{label}: {killed} kills, {result['made']} cards")
    assert result["failed"] == []
    assert result["made"] > 20
    verified = answer(xueka(home, "keys", "verify", "--json"))
    assert (verified["findings"], verified["locked"]) == ([], [])
    assert _left(home, label) == []
    assert [each for each in answer(xueka(home, "verify", "--json"))["invariants"] if each["violated"]] == []


def _left(home: Path, label: str) -> list[Any]:
    """Versions of the key that wraps others though it is not the active one, as the list tells."""
    listed = {key["label"]: key for key in answer(xueka(home, "keys", "list", "--json"))["keys"]}
    states = {each["version"]: each["state"] for each in listed[label]["versions"]}
    assert states == {1: "verify_only", 2: "active"}
    return [
        (key["label"], each["version"])
        for key in listed.values()
        for each in key["versions"]
        if each["wrapped_by"] == f"{label}/1"
    ]

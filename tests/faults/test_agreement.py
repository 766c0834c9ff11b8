"""After the heavy dial goes back, both sides agree without a person (`python -m tests.faults.agreement`)."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.faults.agreeing import World, play, report
from tests.support.size import dial
from tests.unit.replacements.conftest import Families, family, in_memory

__all__ = ["family", "in_memory"]
pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS, THINGS, SEED = map(
    int, os.environ.get("XUEKA_AGREEMENT", dial("8,6,20261126", "60,20,20261126")).split(",")
)


def test_both_sides_agree(family: Families, tmp_path: Path, settings: Any) -> None:
    settings.EXCHANGE_PARTNERS = tmp_path / "exchange"
    lines = play(World(family, tmp_path, settings, SEED, THINGS), ROUNDS, rest=24)
    print("\n" + report(lines, SEED, ROUNDS))
    assert {each.counterpart: each.differing for each in lines} == {each.counterpart: 0 for each in lines}
    assert all(each.compared and each.faults for each in lines), "a dial that strikes nothing proves nothing"

"""After the heavy dial goes back, both sides agree without a person (`python -m tests.faults.agreement`)."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.faults.agreeing import PLAYERS, World, play
from tests.support.size import dial
from tests.unit.replacements.conftest import Families, family, in_memory
from xueka.simulation.agreement import MONEY
from xueka.simulation.counterparts import SIMULATORS
from xueka.simulation.sides import table

__all__ = ["family", "in_memory"]
pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS, THINGS, SEED = map(
    int, os.environ.get("XUEKA_AGREEMENT", dial("8,6,20261126", "60,20,20261126")).split(",")
)


#: Whose business is a year of families that pay: the same report, compared there.
PROVED = dict.fromkeys(MONEY, ("test_simulate.py", "test_every_counterpart_holds_what_we_hold"))


def test_every_simulator_is_played_here_or_proved_elsewhere() -> None:
    assert SIMULATORS.keys() <= PLAYERS.keys() | PROVED.keys()
    for file, name in PROVED.values():
        assert f"def {name}(" in Path(__file__).with_name(file).read_text("utf-8")


def test_both_sides_agree(family: Families, tmp_path: Path, settings: Any) -> None:
    lines = play(World(family, tmp_path, settings, SEED, THINGS), ROUNDS, rest=24)
    print(f"\nseed {SEED}, {ROUNDS} rounds under the heavy dial, then none\n{table(lines)}")
    assert {each.counterpart: each.differing for each in lines} == {each.counterpart: 0 for each in lines}
    assert all(each.compared and each.faults for each in lines), "a dial that strikes nothing proves nothing"

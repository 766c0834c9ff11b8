"""What a stranger plants is found, nothing else is, no line is linked to a payment not its own."""

import json

import pytest

from tests.faults.reconciliation import World, judged, load, one
from tests.support.size import dial

SEEDS, PAYMENTS, RUNS = dial(([3], 1_500, 2), (list(range(1, 9)), 25_000, 10))


@pytest.mark.parametrize("seed", SEEDS)
def test_reconciliation_finds_what_was_planted(db: None, seed: int) -> None:
    result = one(seed, PAYMENTS)
    print(json.dumps(result))
    assert result["kinds"] >= 13 and result["wrong_links"] == 0
    assert min(float(result["recall"]), float(result["precision"])) >= 99.5


def test_ten_runs_say_the_same(db: None) -> None:
    world = World(SEEDS[0], PAYMENTS)
    world.plant()
    sides = load(world)
    first = judged(sides)
    assert first.breaks and all(judged(sides) == first for _ in range(RUNS - 1))


@pytest.mark.parametrize("kind", World.faults())
def test_one_fault_alone_is_found_where_all_else_agrees(db: None, kind: str) -> None:
    """Sides that agree as a whole are not joined: none may be taken for one of them."""
    world = World(SEEDS[0], 100)
    world.plant_one(kind)
    assert world.truth and {(each.kind, each.key) for each in judged(load(world)).breaks} == world.truth

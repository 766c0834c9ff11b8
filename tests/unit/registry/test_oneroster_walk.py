"""Reading a list that moves: whatever was there all the time is read, whatever the pages do."""

import random

from xueka.contexts.registry.domain import oneroster_walk as walk
from xueka.contexts.registry.domain.oneroster_walk import Heard

LIMIT = 12


def read(seed: int, *, moves: float, again: float, cap: int = LIMIT) -> tuple[set[str], set[str], bool]:
    """What was read, what was in the list from its beginning to its end, and whether it was seen to move."""
    dice = random.Random(seed)
    there = {f"{number:04d}" for number in dice.sample(range(10_000), 60)}
    stayed, kept, cursor = set(there), set[str](), walk.start()
    for _ in range(2000):
        listed, offset = sorted(there), cursor["offset"]
        asked = max(0, offset - cap) if offset and dice.random() < again else offset
        page = listed[asked : asked + cap]
        cursor = walk.step(cursor, Heard(page, len(listed), more=False), LIMIT)
        kept |= set(page) if cursor["keep"] else set()
        if cursor["at_end"]:
            further = walk.again(cursor, len(kept))
            if further is None and not walk.is_short(cursor, len(kept)):
                return kept, stayed, cursor["moved"]
            cursor = further or walk.anew(cursor)
        if dice.random() < moves:
            for gone in dice.sample(sorted(there), min(len(there), dice.randrange(12))):
                there.discard(gone)
                stayed.discard(gone)
            there |= {f"{dice.randrange(10_000):04d}" for _ in range(dice.randrange(12))}
    raise AssertionError(f"never at the end, seed {seed}")


def test_nothing_that_stayed_is_missed() -> None:
    for seed in range(60):
        for again, cap in ((0, LIMIT), (0, 7), (0.3, LIMIT), (0.3, 7)):
            kept, stayed, _ = read(seed, moves=0, again=again, cap=cap)
            assert stayed == kept, (seed, again, cap)


def test_a_list_that_moves_all_the_time_is_read_as_well_as_it_can_be() -> None:
    """A fifth of the list goes or comes every few pages: it is seen, and hardly anything is missed."""
    missed = there = 0
    for seed in range(60):
        for moves, again in ((0.1, 0), (0.2, 0.1)):
            kept, stayed, moved = read(seed, moves=moves, again=again)
            assert moved or stayed <= kept, seed
            missed += len(stayed - kept)
            there += len(stayed)
    assert missed < there // 100, (missed, there)


def test_pages_without_a_count_end_with_a_short_one() -> None:
    first = walk.step(walk.start(), Heard([str(n) for n in range(LIMIT)], None, more=False), LIMIT)
    assert not first["at_end"] and first["offset"] == LIMIT - LIMIT // 4
    assert walk.step(first, Heard(["9", "10", "x"], None, more=False), LIMIT)["at_end"]
    assert not walk.step(first, Heard(["9", "10", "x"], None, more=True), LIMIT)["at_end"]


def test_a_list_is_read_so_often_and_then_no_more() -> None:
    cursor = walk.start()
    for _ in range(walk.WALKS - 1):
        cursor = walk.again({**cursor, "moved": True}, 0)
        assert cursor is not None
    assert walk.again({**cursor, "moved": True}, 0) is None
    assert walk.again({**walk.start(), "total": 3}, 3) is None
    assert walk.following(cursor, ["orgs", "users"])["kind"] == "users"
    assert walk.following({**cursor, "kind": "users"}, ["orgs", "users"]) is None

"""The fast reconciliation gives the domain's answer, to the last message."""

import gc
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.size import dial
from tests.unit.production.test_bureau_reconcile import (
    BLANK,
    CHIPLESS,
    LINE_DEFECTS,
    SENT,
    batch,
    card,
    good,
    sent,
    settled,
    wild_lines,
)
from xueka.contexts.production.adapters import bulk_reconcile
from xueka.contexts.production.domain.bureau.line import ExpectedCard
from xueka.contexts.production.domain.bureau.reconcile import reconcile
from xueka.contexts.production.domain.bureau.records import CardContents


def assert_same(contents: CardContents, expected: dict[str, ExpectedCard], lines: list[str]) -> None:
    fast = bulk_reconcile.reconcile(contents, expected, lines)
    slow = reconcile(contents, expected, lines)
    assert fast == slow
    assert [type(record) for record in fast.matched] == [type(record) for record in slow.matched]


@settings(max_examples=dial(150, 10_000), deadline=None)
@given(
    wild_lines(),
    st.sampled_from([SENT, BLANK, CHIPLESS]),
    st.sets(st.integers(1, 4)),
    st.sampled_from(["00", "01"]),
    st.sampled_from(["", "04A1B2C3"]),
)
def test_colliding_lines(
    lines: list[str], contents: CardContents, done: set[int], result: str, blank: str
) -> None:
    expected = {
        number: settled(entry.sequence, result) if entry.sequence in done else entry._replace(blank_uid=blank)
        for number, entry in batch(4).items()
    }
    assert_same(contents, expected, lines)


def test_every_line_defect_among_sound_lines() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(dial(10, 200)):
        lines = []
        for place in chance.sample(range(1, 101), 100):
            if chance.random() < 0.3:
                spoil, _ = LINE_DEFECTS[chance.choice(list(LINE_DEFECTS))]
                lines += spoil(place).split("\r\n")
            else:
                lines.append(good(place))
        assert_same(SENT, batch(105), lines)


def test_each_reason_to_doubt_a_line_by_itself() -> None:
    uid = good(3).split("|")[5]
    plain = batch(9) | {
        card(5): sent(5, blank_uid="04A1B2C3D4E5F6"),
        card(6): settled(6),
        card(8): settled(8),
    }
    lines = [
        good(1, at="19991231235959"),
        good(2, at="00000101000000"),
        good(2, uid="04A1B2C3D4E5F7\n"),
        good(4, uid=uid),
        good(3),
        good(5),
        good(6),
        good(7, uid=good(8).split("|")[5]),
        "D|9|" + card(9),
    ]
    for start in range(len(lines)):
        assert_same(SENT, plain, lines[start:])
        assert_same(SENT, plain, [lines[start]])


def test_nothing_sent_and_nothing_said() -> None:
    assert_same(SENT, {}, [])
    assert_same(SENT, {}, [good(1)])
    assert_same(SENT, batch(2), [])


def test_the_collector_works_on_afterwards() -> None:
    assert gc.isenabled()
    bulk_reconcile.reconcile(SENT, batch(1), [good(1)])
    assert gc.isenabled()
    gc.disable()
    try:
        bulk_reconcile.reconcile(SENT, batch(1), [good(1)])
        assert not gc.isenabled()
    finally:
        gc.enable()

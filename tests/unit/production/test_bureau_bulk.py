"""The fast reconciliation gives the domain's answer, to the last message."""

import random
from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest
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
from xueka.contexts.production.domain.bureau import lines as lines_module
from xueka.contexts.production.domain.bureau.line import ExpectedCard, ReturnRecord
from xueka.contexts.production.domain.bureau.lines import Lines
from xueka.contexts.production.domain.bureau.reconcile import reconcile
from xueka.contexts.production.domain.bureau.records import CardContents
from xueka.kernel.clock import SHANGHAI


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    """So that a few lines are several blocks already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK", 150)
        yield


def in_columns(expected: dict[str, ExpectedCard]) -> pl.DataFrame:
    rows = sorted(expected.items(), key=lambda entry: entry[1].sequence)
    assert [entry.sequence for _, entry in rows] == list(range(1, len(rows) + 1))
    return pl.DataFrame(
        [
            (card, e.transit_number, e.beijing_tong_number, e.blank_uid, e.settled and "|".join(e.settled))
            for card, e in rows
        ],
        schema=bulk_reconcile.SENT,
        orient="row",
    )


def file_of(lines: list[str]) -> Lines:
    data = b"".join(line.encode("gb18030") + b"\r\n" for line in lines)
    return Lines(data, 0, len(data))


def assert_same(contents: CardContents, expected: dict[str, ExpectedCard], lines: list[str]) -> None:
    sent, slow = in_columns(expected), reconcile(contents, expected, lines)
    fast = bulk_reconcile.reconcile(contents, sent, file_of(lines))
    made = [
        ReturnRecord(
            number + 2, sent["card"][place], transit, sent["tong"][place], uid, "00",
            moment.astimezone(SHANGHAI), "",
        )
        for number, place, transit, uid, moment in fast.made.iter_rows()
    ]  # fmt: skip
    assert fast.counts() == slow.counts()
    assert fast.rest._replace(matched=sorted([*made, *fast.rest.matched]), missing=fast.missing) == slow
    assert not made or all(record.produced_at.utcoffset() == timedelta(hours=8) for record in made)


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

"""The recogniser of clean rows agrees with the judge, and recognises what is clean."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.rosters import COLUMN, HEADER, roster_row, school_rows
from xueka.contexts.registry.domain.clean import Recogniser
from xueka.contexts.registry.domain.columns import match
from xueka.contexts.registry.domain.judging import judge
from xueka.contexts.registry.domain.roster import COLUMNS, RosterRow, Rules
from xueka.kernel import clock

SCHOOLS = school_rows()
RULES = Rules({school[0] for school in SCHOOLS})
NOW = datetime(2026, 9, 1, tzinfo=UTC)
_PIECES = st.sampled_from(
    [
        "",
        " ",
        "\u3000",
        "\x1f",
        "\n",
        "\0",
        ",",
        "０",
        "Ａ",
        "x",
        "X",
        "1",
        "9",
        "男",
        "女",
        "2",
        "G",
        "-",
        "·",
        "𠮷",
        "?",
        "é",
    ]
)


def _recogniser(header: tuple[str, ...] = HEADER) -> Recogniser:
    with clock.at(NOW):
        return Recogniser(match(COLUMNS, header), RULES, clock.today(), ",")


RECOGNISER = _recogniser()


def read(cells: Sequence[str], recogniser: Recogniser = RECOGNISER) -> RosterRow | None:
    return recogniser.read(",".join(cells))


@given(
    n=st.integers(0, 3_000_000),
    school=st.sampled_from(SCHOOLS),
    column=st.sampled_from(HEADER),
    place=st.integers(0, 20),
    removed=st.integers(0, 2),
    piece=_PIECES,
)
@example(n=0, school=SCHOOLS[0], column="年级", place=0, removed=1, piece="9")
@example(n=0, school=SCHOOLS[0], column="性别", place=0, removed=1, piece="女")
def test_what_is_recognised_would_be_accepted_without_a_word(
    n: int, school: list[str], column: str, place: int, removed: int, piece: str
) -> None:
    cells = roster_row(school, n)
    text = cells[COLUMN[column]]
    cells[COLUMN[column]] = text[:place] + piece + text[place + removed :]
    with clock.at(NOW):
        row = read(cells)
        verdict = judge(cells, 2, match(COLUMNS, HEADER), RULES)
    if row is not None:
        assert verdict.row == row
        assert not verdict.warnings


def test_clean_rows_are_recognised() -> None:
    with clock.at(NOW):
        for n in range(2000):
            assert read(roster_row(SCHOOLS[n % 3], n, n % 9)) is not None, n


def test_columns_are_found_by_name_wherever_they_stand() -> None:
    order = [*reversed(range(len(HEADER)))]
    turned = _recogniser((*(HEADER[place] for place in order), "备注"))
    cells = roster_row(SCHOOLS[0], 5)
    with clock.at(NOW):
        row = read([*(cells[place] for place in order), "随便什么"], turned)
        assert row is not None
        assert row == read(cells)


def test_a_birth_date_after_today_is_left_to_the_judge() -> None:
    cells = roster_row(SCHOOLS[0], 0)
    with clock.at(datetime(2008, 8, 1, tzinfo=UTC)):
        early = Recogniser(match(COLUMNS, HEADER), RULES, clock.today(), ",")
        assert read(cells, early) is None

"""How serials become numbers, and when two ranges share one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.contexts.numbers.domain.series import Series, fits
from xueka.kernel.identifiers import check_card_number


def test_a_serial_is_filled_with_zeros_behind_its_prefix() -> None:
    assert Series("transit", "10007500", 8, 1, 99).number(42) == "1000750000000042"


def test_a_card_number_carries_its_check_digit() -> None:
    number = Series("card", "26", 9, 1, 99).number(1)
    assert number == "260000000010"
    assert check_card_number(number)


@pytest.mark.parametrize(
    ("sort", "number", "good"),
    [
        ("transit", "1000750000000042", True),
        ("transit", "100075000000004", False),
        ("transit", "１０００750000000042", False),
        ("beijing_tong", "BJT000000001", True),
        ("beijing_tong", "BJT-00000001", False),
        ("card", "260000000010", True),
    ],
)
def test_the_configured_form_is_checked(sort: str, number: str, good: bool) -> None:
    assert fits(sort, number) is good


small = st.builds(
    lambda prefix, width, first, count: Series("transit", prefix, width, first, first + count),
    st.text("01A", max_size=3),
    st.integers(1, 3),
    st.integers(0, 9),
    st.integers(0, 40),
).filter(lambda series: len(str(series.last)) <= series.width)


@given(small, small)
def test_two_ranges_meet_exactly_when_a_number_is_in_both(one: Series, other: Series) -> None:
    mine = {one.number(serial) for serial in range(one.first, one.last + 1)}
    theirs = {other.number(serial) for serial in range(other.first, other.last + 1)}
    assert one.meets(other) == bool(mine & theirs) == other.meets(one)
    assert all(one.holds(number) for number in mine)
    assert not any(one.holds(number) for number in theirs - mine)

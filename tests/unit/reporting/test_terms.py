"""Terms, their weeks, and quantiles."""

from datetime import date, timedelta

import pytest

from xueka.contexts.reporting.domain.measures import quantile
from xueka.contexts.reporting.domain.terms import check_days, default_code, default_term, term_on
from xueka.kernel.errors import BadInput


def test_every_day_of_ten_years_belongs_to_the_term_of_its_code() -> None:
    day = date(2020, 1, 1)
    while day < date(2030, 1, 1):
        term = default_term(default_code(day))
        assert term.begins <= day <= term.ends
        assert term_on(day, []) == term
        day += timedelta(days=1)


def test_weeks_cover_a_term_without_gap() -> None:
    term = default_term("2026-1")
    assert term.label == "2026–2027 学年第一学期"
    days = [term.begins + timedelta(days=step) for step in range((term.ends - term.begins).days + 1)]
    assert [week.number for week in term.weeks] == list(range(1, len(term.weeks) + 1))
    for day in days:
        week = term.week_of(day)
        assert week and week.begins <= day <= week.ends
    assert term.weeks[1].begins.weekday() == 0
    assert term.week_of(term.ends + timedelta(days=1)) is None
    assert default_term("2026-1").previous_code == "2025-2"
    assert default_term("2026-2").previous_code == "2026-1"


@pytest.mark.parametrize("code", ["", "2026", "2026-3", "26-1", "abcd-1"])
def test_a_code_that_is_none(code: str) -> None:
    with pytest.raises(BadInput, match="学期代码"):
        default_term(code)


def test_days_that_are_no_term() -> None:
    check_days(date(2026, 9, 1), date(2027, 1, 20))
    for ends in (date(2026, 9, 1), date(2028, 9, 1)):
        with pytest.raises(BadInput):
            check_days(date(2026, 9, 1), ends)


def test_quantiles_of_counted_hours() -> None:
    assert quantile([], 0.5) is None
    assert quantile([(7, 1)], 0.9) == 7
    assert quantile([(1, 5), (10, 4), (100, 1)], 0.5) == 1
    assert quantile([(100, 1), (1, 5), (10, 4)], 0.9) == 10
    assert quantile([(1, 5), (10, 4), (100, 1)], 0.91) == 100

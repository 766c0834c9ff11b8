"""When a week is to be closed: working days, National Day, the Spring Festival, a year that nobody knows."""

from datetime import date, timedelta

import pytest

from xueka.contexts.closing.domain import weeks
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import XuekaError

CALENDAR = Calendar.default()


@pytest.mark.parametrize(
    ("sunday", "due"),
    [
        ("2024-09-22", "2024-09-24"),  # an ordinary week
        ("2024-09-29", "2024-09-30"),  # before National Day: the second day would be 10-08, nine days later
        ("2024-10-06", "2024-10-09"),  # ends within the holiday
        ("2025-09-28", "2025-09-30"),  # its Sunday is a make-up day itself
        ("2025-10-05", "2025-10-10"),
        ("2025-10-12", "2025-10-14"),
        ("2026-02-15", "2026-02-24"),  # Spring Festival: the first day at work again is the ninth
        ("2026-02-22", "2026-02-25"),
        ("2024-12-29", "2024-12-31"),
    ],
)
def test_due_by_the_state_councils_calendar(sunday: str, due: str) -> None:
    monday = date.fromisoformat(sunday) - timedelta(days=6)
    assert weeks.due(CALENDAR, monday) == date.fromisoformat(due)


def test_due_is_a_working_day_soon_after_the_week() -> None:
    """Over three years: never in the week itself, never a day off, and later than a week only where nobody
    works before.
    """
    monday = date(2024, 1, 1)
    while monday < date(2026, 12, 7):
        sunday = weeks.sunday_of(monday)
        due = weeks.due(CALENDAR, monday)
        assert due > sunday and CALENDAR.is_working_day(due)
        if (due - sunday).days > weeks.OLD_AFTER:
            assert CALENDAR.add_working_days(sunday, 1) == due
        monday += timedelta(days=7)


def test_an_unknown_year_is_refused() -> None:
    with pytest.raises(XuekaError) as error:
        weeks.due(CALENDAR, date(2026, 12, 28))
    assert error.value.code == "CALENDAR_YEAR_MISSING"
    assert weeks.due(CALENDAR, date(2026, 12, 21)) == date(2026, 12, 29)


def test_names_and_rows_of_weeks() -> None:
    assert weeks.name_of(date(2025, 12, 29)) == "2026-W01"
    assert weeks.weeks_between(date(2026, 9, 9), date(2026, 9, 20)) == [date(2026, 9, 7), date(2026, 9, 14)]
    assert weeks.weeks_between(date(2026, 9, 9), date(2026, 9, 12)) == []

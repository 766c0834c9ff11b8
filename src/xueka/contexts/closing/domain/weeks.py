"""Which weeks there are, and when each must be closed (docs/adr/0200-weekly-close.md)."""

from datetime import date, timedelta

from xueka.kernel.calendar import Calendar

DAYS = 7
#: The close is due on this working day after its Sunday.
DUE_AFTER = 2
#: Calendar days after its Sunday from which an open week is too old (service contract).
OLD_AFTER = 7


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def sunday_of(monday: date) -> date:
    return monday + timedelta(days=DAYS - 1)


def name_of(monday: date) -> str:
    """The ISO name, as `xueka reconcile --week` wants it: 2026-W42."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


def due(calendar: Calendar, monday: date) -> date:
    """The second working day after the week; the first one where the second comes more than a week later.

    So a week before a long holiday is closed before it begins, and one that ends within it on the first day
    at work again. Raises XuekaError `CALENDAR_YEAR_MISSING`: a day is never guessed.
    """
    sunday = sunday_of(monday)
    found = calendar.add_working_days(sunday, DUE_AFTER)
    return found if (found - sunday).days <= OLD_AFTER else calendar.add_working_days(sunday, 1)


def weeks_between(first: date, last: date) -> list[date]:
    """The Mondays of the weeks from the one of `first` to the last that is over by the end of `last`."""
    monday, found = monday_of(first), []
    while sunday_of(monday) <= last:
        found.append(monday)
        monday += timedelta(days=DAYS)
    return found

from datetime import date, datetime, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.notices import builtin_notices, load_notice

SEED = Calendar(builtin_notices())
days = st.dates(date(2024, 1, 1), date(2026, 12, 31))
NEXT_YEAR = {
    "year": 2027,
    "off": ["2026-12-31", "2027-01-01", {"from": "2027-05-01", "to": "2027-05-05", "name": "劳动节"}],
    "make_up": ["2026-12-27", "2027-05-08"],
}


def day(text: str) -> date:
    return date.fromisoformat(text)


def every_day(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


# --- against an independent table, and known answers ---


def test_every_day_agrees_with_an_independent_table():
    for each in every_day(day("2024-01-01"), day("2026-12-31")):
        assert SEED.is_working_day(each) == chinese_calendar.is_workday(each), each


@pytest.mark.parametrize(("year", "count"), [(2024, 251), (2025, 248), (2026, 248)])
def test_working_days_of_a_year(year, count):
    assert SEED.working_days_between(date(year, 1, 1), date(year, 12, 31)) == count


@pytest.mark.parametrize(
    ("start", "count", "due"),
    [
        ("2024-06-11", 2, "2024-06-13"),
        ("2024-06-11", 5, "2024-06-18"),
        ("2024-06-11", 10, "2024-06-25"),
        ("2024-09-27", 7, "2024-10-12"),
        ("2025-01-23", 7, "2025-02-08"),
        ("2025-04-25", 7, "2025-05-08"),
        ("2026-02-13", 7, "2026-03-02"),
        ("2024-09-30", 10, "2024-10-18"),
        ("2024-11-30", 10, "2024-12-13"),
        ("2025-06-30", 10, "2025-07-14"),
        ("2024-12-31", 1, "2025-01-02"),
        ("2024-10-01", 0, "2024-10-01"),
        ("2025-01-02", -1, "2024-12-31"),
        ("2024-10-13", -1, "2024-10-12"),
        ("2024-06-25", -10, "2024-06-11"),
    ],
)
def test_adding_working_days(start, count, due):
    assert SEED.add_working_days(day(start), count) == day(due)


def test_the_service_period():
    period = every_day(day("2024-08-18"), day("2025-08-17"))
    assert len(period) == 365
    assert SEED.working_days_between(period[0], period[-1]) == 247
    made_up = [each for each in period if SEED.day_label(each) == "调休上班"]
    assert [str(each) for each in made_up] == [
        "2024-09-14", "2024-09-29", "2024-10-12", "2025-01-26", "2025-02-08", "2025-04-27",
    ]  # fmt: skip
    assert sum(each.weekday() < 5 and not SEED.is_working_day(each) for each in period) == 19


@pytest.mark.parametrize(
    ("which", "label", "working"),
    [
        ("2025-10-06", "国庆节、中秋节", False),
        ("2024-02-10", "春节", False),
        ("2024-10-12", "调休上班", True),
        ("2024-10-13", "周末", False),
        ("2024-10-14", "工作日", True),
    ],
)
def test_what_a_day_is_called(which, label, working):
    assert SEED.day_label(day(which)) == label
    assert SEED.is_working_day(day(which)) is working


# --- properties, against counting one by one ---


@given(days, days)
def test_between_counts_like_a_person(first, last):
    first, last = sorted((first, last))
    assert SEED.working_days_between(first, last) == sum(map(SEED.is_working_day, every_day(first, last)))


@given(days, st.integers(-300, 300))
def test_adding_walks_like_a_person(start, count):
    step = timedelta(days=1 if count > 0 else -1)
    here, left = start, abs(count)
    try:
        while left:
            here += step
            left -= SEED.is_working_day(here)
    except XuekaError:
        with pytest.raises(XuekaError):
            SEED.add_working_days(start, count)
    else:
        assert SEED.add_working_days(start, count) == here


@given(days, st.integers(1, 200))
def test_going_there_and_back(start, count):
    try:
        end = SEED.add_working_days(start, count)
    except XuekaError:
        return
    assert SEED.is_working_day(end)
    assert SEED.working_days_between(start, end) == count + SEED.is_working_day(start)
    if SEED.is_working_day(start):
        assert SEED.add_working_days(end, -count) == start


# --- what is not known ---


@pytest.mark.parametrize(
    "ask",
    [
        lambda: SEED.is_working_day(day("2027-01-01")),
        lambda: SEED.day_label(day("2027-01-02")),
        lambda: SEED.add_working_days(day("2026-12-31"), 1),
        lambda: SEED.add_working_days(day("2026-01-04"), 1000),
        lambda: SEED.add_working_days(day("2024-01-02"), -1),
        lambda: SEED.add_working_days(day("2027-03-01"), 0),
        lambda: SEED.working_days_between(day("2026-12-01"), day("2027-01-01")),
        lambda: SEED.working_days_between(day("2023-12-31"), day("2024-01-02")),
    ],
)
def test_an_unknown_year_is_an_error_and_never_a_guess(ask):
    with pytest.raises(XuekaError) as caught:
        ask()
    assert caught.value.code == "CALENDAR_YEAR_MISSING"
    assert caught.value.found in ("2023", "2027")
    assert "xueka calendar load" in caught.value.action


def test_a_missing_year_in_the_middle_is_not_jumped_over():
    gap = Calendar(notice for notice in builtin_notices() if notice.year != 2025)
    assert gap.years == [2024, 2026]
    with pytest.raises(XuekaError, match="2025"):
        gap.working_days_between(day("2024-12-01"), day("2026-01-31"))
    with pytest.raises(XuekaError, match="2025"):
        gap.add_working_days(day("2024-12-31"), 260)


def test_ends_in_the_wrong_order():
    with pytest.raises(BadInput) as caught:
        SEED.working_days_between(day("2024-06-12"), day("2024-06-11"))
    assert caught.value.code == "CALENDAR_RANGE"


def test_a_moment_is_not_a_day():
    for ask in (
        lambda: SEED.is_working_day(datetime(2024, 6, 11)),
        lambda: SEED.add_working_days(datetime(2024, 6, 11), 1),
        lambda: SEED.working_days_between(day("2024-06-11"), datetime(2024, 6, 12)),
    ):
        with pytest.raises(TypeError, match="not a moment"):
            ask()


def test_next_years_absence_shows_from_november():
    assert SEED.missing_next_year(day("2026-10-31")) is None
    assert SEED.missing_next_year(day("2026-11-01")) == 2027
    assert SEED.missing_next_year(day("2025-12-01")) is None


# --- another notice ---


def test_a_merged_notice_is_known_and_the_old_calendar_stays_as_it_was():
    more = SEED.merged(load_notice(NEXT_YEAR))
    assert more.years == [2024, 2025, 2026, 2027]
    assert more.add_working_days(day("2026-12-30"), 1) == day("2027-01-04")
    assert more.is_working_day(day("2027-05-08"))
    assert 2027 not in SEED.years


def test_a_notice_may_change_the_december_before_it():
    more = SEED.merged(load_notice(NEXT_YEAR))
    assert SEED.is_working_day(day("2026-12-31")) and not more.is_working_day(day("2026-12-31"))
    assert more.is_working_day(day("2026-12-27")) and more.day_label(day("2026-12-27")) == "调休上班"
    assert more.working_days_between(day("2026-01-01"), day("2026-12-31")) == 248


def test_an_amended_notice_replaces_the_first_one():
    amended = {"year": 2026, "off": ["2026-01-01"], "make_up": []}
    assert SEED.merged(load_notice(amended)).is_working_day(day("2026-10-01"))

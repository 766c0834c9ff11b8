"""Working days by the State Council's yearly notices.

Weekends are off; the notice of the year frees some weekdays and has some weekend days worked (调休). A year
whose notice is not loaded is unknown: asking for it is an error, never a guess.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.notices import Notice, builtin_notices, stored_notices


class Calendar:
    """The working days of the years whose notices it was given.

    A later notice of the same year replaces an earlier one.
    """

    def __init__(self, notices: Iterable[Notice]) -> None:
        self._notices = {notice.year: notice for notice in notices}
        self._labels: dict[date, str] = {}
        # A notice may also change the last days of the December before it (as that of 2019 did).
        for notice in sorted(self._notices.values(), key=lambda n: n.year):
            self._labels |= {**notice.off, **dict.fromkeys(notice.make_up, _MAKE_UP)}
        self._working = {year: self._working_ordinals(year) for year in self._notices}

    @classmethod
    def default(cls) -> "Calendar":
        """What was shipped, overridden by the notices loaded into this installation."""
        return _calendar((*builtin_notices(), *stored_notices()))

    def merged(self, notice: Notice) -> "Calendar":
        """A calendar that also knows `notice`."""
        return Calendar([*self._notices.values(), notice])

    @property
    def years(self) -> list[int]:
        """The years that are known."""
        return sorted(self._notices)

    def missing_next_year(self, day: date) -> int | None:
        """From November on, the next year, if its notice is still not loaded."""
        following = day.year + 1
        return following if day.month >= 11 and following not in self._notices else None

    def is_working_day(self, day: date) -> bool:
        days = self._year(_day(day).year)
        place = bisect_left(days, day.toordinal())
        return place < len(days) and days[place] == day.toordinal()

    def day_label(self, day: date) -> str:
        """What the day is called: 国庆节, 调休上班, 周末 or 工作日."""
        working = self.is_working_day(day)
        return self._labels.get(day) or ("工作日" if working else "周末")

    def add_working_days(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`; `day` itself is day 0, whatever it is.

        A negative count goes back in the same way. Raises XuekaError `CALENDAR_YEAR_MISSING`.
        """
        year = _day(day).year
        days = self._year(year)
        if count == 0:
            return day
        place = bisect_right(days, day.toordinal()) - 1 + count
        if count < 0:
            place = bisect_left(days, day.toordinal()) + count
        while place >= len(days):
            place -= len(days)
            year += 1
            days = self._year(year)
        while place < 0:
            year -= 1
            days = self._year(year)
            place += len(days)
        return date.fromordinal(days[place])

    def working_days_between(self, first: date, last: date) -> int:
        """How many working days there are from `first` to `last`, both ends included.

        Raises BadInput `CALENDAR_RANGE` when `last` lies before `first`, XuekaError `CALENDAR_YEAR_MISSING`.
        """
        if _day(last) < _day(first):
            raise BadInput(
                "CALENDAR_RANGE",
                f"结束日期 {last} 早于开始日期 {first}。",
                found=str(last),
                expected=f"不早于 {first}",
                action="请交换两个日期。",
            )
        years = [self._year(year) for year in range(first.year, last.year + 1)]
        return (
            sum(map(len, years))
            - bisect_left(years[0], first.toordinal())
            - (len(years[-1]) - bisect_right(years[-1], last.toordinal()))
        )

    def _year(self, year: int) -> list[int]:
        try:
            return self._working[year]
        except KeyError:
            raise XuekaError(
                "CALENDAR_YEAR_MISSING",
                f"尚未载入 {year} 年的放假安排，无法计算工作日。",
                found=str(year),
                expected="、".join(map(str, self.years)),
                action="请载入国务院办公厅当年的通知：xueka calendar load 文件。",
                year=year,
            ) from None

    def _working_ordinals(self, year: int) -> list[int]:
        first = date(year, 1, 1)
        days = (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))
        return [
            day.toordinal()
            for day in days
            if self._labels.get(day, _MAKE_UP if day.weekday() < 5 else "") == _MAKE_UP
        ]


_MAKE_UP = "调休上班"


@lru_cache(maxsize=4)
def _calendar(notices: tuple[Notice, ...]) -> Calendar:
    return Calendar(notices)


def _day(value: date) -> date:
    """A moment is not a day: the zone decides which day it falls on, so the caller must (clock.local)."""
    if isinstance(value, datetime):
        raise TypeError("a date is needed, not a moment")
    return value

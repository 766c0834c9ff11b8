"""A week as the address names it: `?week=2026-W48`, from Monday to Sunday."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest

from xueka.entrypoints.design import formats
from xueka.kernel import clock


@dataclass(frozen=True, slots=True)
class Week:
    monday: date

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def code(self) -> str:
        """2026-W48"""
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02d}"

    @property
    def label(self) -> str:
        """11月23日 至 11月29日"""
        first, last = (formats.short_day(day).split(" ")[0] for day in (self.monday, self.sunday))
        return f"{first} 至 {last}"

    @property
    def days(self) -> list[date]:
        return [self.monday + timedelta(days=number) for number in range(7)]

    @property
    def over(self) -> bool:
        """Its last day is gone."""
        return self.sunday < clock.today()

    @property
    def past_days(self) -> list[date]:
        """Those of its days that are over: only these can be reconciled."""
        return [day for day in self.days if day < clock.today()]

    def shifted(self, weeks: int) -> "Week":
        return Week(self.monday + timedelta(weeks=weeks))

    @property
    def is_present(self) -> bool:
        return self.monday <= clock.today() <= self.sunday


def of_day(day: date) -> Week:
    return Week(day - timedelta(days=day.weekday()))


def named(name: str) -> Week | None:
    """The week of this name (2026-W48); None where there is none."""
    match = re.fullmatch(r"(20\d\d)-W(\d\d)", name, re.ASCII)
    try:
        return Week(date.fromisocalendar(int(match[1]), int(match[2]), 1)) if match else None
    except ValueError:
        return None


def of_request(request: HttpRequest, default: Week | None = None) -> Week:
    """The week that the address asks for; an unknown one is the present week (or `default`)."""
    return named(request.GET.get("week", "")) or default or of_day(clock.today())


def last(count: int) -> list[Week]:
    """The last weeks, the present one first."""
    present = of_day(clock.today())
    return [present.shifted(-number) for number in range(count)]


def tabs(week: Week, count: int = 5) -> list[tuple[str, str, bool]]:
    """The last weeks as tabs, the present one first: label, query, whether it is this one."""
    shown = last(count)
    present = shown[0]
    if week not in shown:
        shown.append(week)
    words = {present: "本周", present.shifted(-1): "上周"}
    return [(words.get(each, each.label), f"?week={each.code}", each == week) for each in shown]

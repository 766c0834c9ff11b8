"""Terms of the school year and their weeks. A city may set other days (page 学期与计划).

Without a setting the first term runs from 1 September to 31 January, the second from 1 February to 31 August:
every day belongs to a term, holidays included.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from xueka.kernel.errors import BadInput

LONGEST = 300  # days; a term that is longer is a slip of the pen


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """A week of a term, Monday to Sunday, cut at the term's ends. The first has number 1."""

    number: int
    begins: date
    ends: date


@dataclass(frozen=True, slots=True)
class Term:
    """`code` is `<first year of the school year>-<1 or 2>`; both days belong to the term."""

    code: str
    begins: date
    ends: date

    @property
    def label(self) -> str:
        year, half = self.code.split("-")
        return f"{year}–{int(year) + 1} 学年第{'一' if half == '1' else '二'}学期"

    @property
    def weeks(self) -> list[Week]:
        found: list[Week] = []
        monday = self.begins - timedelta(days=self.begins.weekday())
        while monday <= self.ends:
            sunday = monday + timedelta(days=6)
            found.append(Week(len(found) + 1, max(monday, self.begins), min(sunday, self.ends)))
            monday += timedelta(days=7)
        return found

    def week_of(self, day: date) -> Week | None:
        """The week of a day; None outside the term."""
        return next((week for week in self.weeks if week.begins <= day <= week.ends), None)

    @property
    def previous_code(self) -> str:
        year, half = self.code.split("-")
        return f"{year}-1" if half == "2" else f"{int(year) - 1}-2"


def default_term(code: str) -> Term:
    """The term of a code with its default days. Raises BadInput `TERM_CODE`."""
    year, _, half = code.partition("-")
    if not (len(year) == 4 and year.isdecimal() and half in {"1", "2"}):
        raise BadInput(
            "TERM_CODE",
            "学期代码不对。",
            found=code,
            expected="学年首年加学期，例如 2026-1、2026-2",
            action="请从学期列表中选择。",
        )
    first = int(year)
    if half == "1":
        return Term(code, date(first, 9, 1), date(first + 1, 1, 31))
    return Term(code, date(first + 1, 2, 1), date(first + 1, 8, 31))


def default_code(day: date) -> str:
    """The code of the term of a day, by the default days."""
    if day.month >= 9:
        return f"{day.year}-1"
    return f"{day.year - 1}-1" if day.month == 1 else f"{day.year - 1}-2"


def term_on(day: date, configured: Iterable[Term]) -> Term:
    """The term of a day: a configured one that holds it, else the default (its configured days, if any)."""
    known = {term.code: term for term in configured}
    for term in known.values():
        if term.begins <= day <= term.ends:
            return term
    code = default_code(day)
    return known.get(code) or default_term(code)


def check_days(begins: date, ends: date) -> None:
    """Raises BadInput `TERM_DAYS` unless the days make a term."""
    if not begins < ends or (ends - begins).days > LONGEST:
        raise BadInput(
            "TERM_DAYS",
            "学期的起止日期不对。",
            found=f"{begins} 至 {ends}",
            expected=f"开始早于结束，不超过 {LONGEST} 天",
            action="请改正后再保存。",
        )

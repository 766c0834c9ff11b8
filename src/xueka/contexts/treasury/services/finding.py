"""The breaks of some days, from any four sides. Reads only."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import NamedTuple

from xueka.contexts.treasury.adapters import set_matching
from xueka.contexts.treasury.adapters.set_matching import Days, Sides
from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.domain.breaks import Break
from xueka.contexts.treasury.domain.matching import SUCCEEDED, Window, judge

_REACH = timedelta(days=1)
"""Rows of the day before and after are read as well: their other half may lie within."""


class Found(NamedTuple):
    """`orders`: how many payments and refunds of ours; `matched`: of how many nothing is said.

    `links`: (place of a line that did not agree at once, our number).
    """

    orders: int
    matched: int
    breaks: list[Break]
    links: list[tuple[int, str]]


def find(
    sides: Sides, first: date, last: date, covered: Collection[tuple[str, date]], confirmed_until: date
) -> Found:
    """Four sides compared; what agrees on all of them never leaves the database.

    `covered` are the (channel, day) of which a usable statement is here: only there can a line be missing.
    """
    days = set_matching.days(sides, first - _REACH, last + _REACH)
    suspects = set_matching.suspects(sides, first - _REACH, last + _REACH, days)
    judged = judge(suspects, Window(first, last, covered, confirmed_until))
    orders = sum(succeeded for (_, day), (succeeded, _) in days.ours.items() if first <= day <= last)
    breaks = sorted({*judged.breaks, *_days_without_orders(days, first, last)})
    numbers = {each.number for each in suspects.ours if each.state == SUCCEEDED and first <= each.day <= last}
    broken = {each.key for each in breaks} & numbers
    return Found(orders, orders - len(broken), breaks, judged.links)


def _days_without_orders(days: Days, first: date, last: date) -> list[Break]:
    """A day with money and not one order is not skipped: it is what a lost day looks like."""
    return [
        Break(b.DAY, channel, f"{channel} {day}", day.isoformat(), fen, detail=f"{lines} 行")
        for (channel, day), (lines, fen) in sorted(days.theirs.items())
        if first <= day <= last and (channel, day) not in days.ours
    ]

"""Reading a list page by page while it changes: where to go on, and when to read again.

Pages reach back over each other. Who finds nothing of the page before at the beginning of the next has missed
records (some before were removed), and goes back; who finds nothing new reads the page again. At the end
there must be as many different records as the other side counts, or the list is read once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BACK = 5
"""Records that a page and the next one have in common."""
WALKS, AGAIN = 4, 2
"""How often one list is read, and one page where it brings nothing new."""

Cursor = dict[str, Any]
"""kind, offset, number (of the page to be kept), before (sourcedIds of the page before), walk, again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One page: its sourcedIds, how many there are in all (None: not said), whether a next page is named."""

    ids: Sequence[str]
    total: int | None
    more: bool


def start() -> Cursor:
    return {"kind": "orgs", "offset": 0, "number": 0, "before": [], "walk": 1, "again": 0}


def step(cursor: Cursor, heard: Heard, limit: int) -> Cursor:
    """After a page: the next place; `keep`: the page is kept; `at_end`: the list is over."""
    offset, before = cursor["offset"], set(cursor["before"])
    after = {**cursor, "keep": False, "at_end": False}
    joined = not offset or not before or any(each in before for each in heard.ids)
    if not joined and heard.ids:
        return {**after, "offset": max(0, offset - limit)}
    end = offset + len(heard.ids)
    more = end < heard.total if heard.total is not None else heard.more or len(heard.ids) >= limit
    new = [each for each in heard.ids if each not in before]
    if not new and more and cursor["again"] < AGAIN:
        return {**after, "again": cursor["again"] + 1}
    after |= {"keep": bool(heard.ids), "number": cursor["number"] + bool(heard.ids), "again": 0}
    if not heard.ids or not more:
        return {**after, "at_end": True}
    back = BACK if len(heard.ids) > BACK else 0
    return {**after, "offset": end - back, "before": list(heard.ids) if back else []}


def again(cursor: Cursor) -> Cursor | None:
    """The same list from its beginning; None after too many times."""
    if cursor["walk"] >= WALKS:
        return None
    return {**anew(cursor), "walk": cursor["walk"] + 1}


def anew(cursor: Cursor) -> Cursor:
    """The same list from its beginning, as if for the first time."""
    return {**cursor, "offset": 0, "before": [], "walk": 1, "again": 0}


def following(cursor: Cursor, kinds: Sequence[str]) -> Cursor | None:
    """The beginning of the next list; None after the last."""
    place = kinds.index(cursor["kind"]) + 1
    if place == len(kinds):
        return None
    return {**anew(cursor), "kind": kinds[place]}

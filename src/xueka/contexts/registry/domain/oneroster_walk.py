"""Reading a list page by page while it changes: where to go on, and when to read again.

Pages reach back over each other. Who finds nothing of the page before at the beginning of the next has missed
records (some before were removed), and goes back; who finds nothing new reads the page again. At the end
there must be as many different records as the other side counts, and nothing may have moved meanwhile, or the
list is read once more; after so many times what all of them have brought must do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BACK = 5
"""Records that a page and the next one have in common, unless pages are very short."""
WALKS, AGAIN = 4, 2
"""How often one list is read, and one page where it brings nothing new."""

Cursor = dict[str, Any]
"""kind, offset, number (of the page to be kept), before (sourcedIds of the page before), walk, again, total;
back: how many of them the next page has; moved: pages did not follow upon each other exactly; read: how many
records came in this walk, kept or not.
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One page: its sourcedIds, how many there are in all (None: not said), whether a next page is named."""

    ids: Sequence[str]
    total: int | None
    more: bool


_FRESH: Cursor = {"walk": 1, "again": 0, "total": None, "moved": False, "back": 0, "read": 0}


def start() -> Cursor:
    return {"kind": "orgs", "offset": 0, "number": 0, "before": [], **_FRESH}


def step(cursor: Cursor, heard: Heard, limit: int) -> Cursor:
    """After a page: the next place; `keep`: the page is kept; `at_end`: the list is over."""
    offset, before = cursor["offset"], set(cursor["before"])
    after = {**cursor, "keep": False, "at_end": False, "read": cursor.get("read", 0) + len(heard.ids)}
    common = sum(each in before for each in heard.ids)
    if (before and common != cursor["back"]) or cursor["total"] not in (None, heard.total):
        after["moved"] = True
    after["total"] = heard.total
    joined = not offset or not before or common > 0
    if not joined and heard.ids:
        return {**after, "offset": max(0, offset - len(heard.ids))}
    end = offset + len(heard.ids)
    more = end < heard.total if heard.total is not None else heard.more or len(heard.ids) >= limit
    new = [each for each in heard.ids if each not in before]
    if not new and more and cursor["again"] < AGAIN:
        return {**after, "again": cursor["again"] + 1}
    after |= {"keep": bool(heard.ids), "number": cursor["number"] + bool(heard.ids), "again": 0}
    if not heard.ids or not more:
        return {**after, "at_end": True}
    back = min(BACK, len(heard.ids) // 4)
    return {**after, "offset": end - back, "before": list(heard.ids) if back else [], "back": back}


def again(cursor: Cursor, found: int) -> Cursor | None:
    """The same list from its beginning where it moved, or fewer than so many records as there are were found;
    None where it is well, or was read too many times.
    """
    if cursor["walk"] >= WALKS or not (cursor["moved"] or is_short(cursor, found)):
        return None
    return {**anew(cursor), "walk": cursor["walk"] + 1}


def is_short(cursor: Cursor, found: int) -> bool:
    return cursor["total"] is not None and found < cursor["total"]


def anew(cursor: Cursor) -> Cursor:
    """The same list from its beginning, as if for the first time."""
    return {**cursor, "offset": 0, "before": [], **_FRESH}


def following(cursor: Cursor, kinds: Sequence[str]) -> Cursor | None:
    """The beginning of the next list; None after the last."""
    place = kinds.index(cursor["kind"]) + 1
    if place == len(kinds):
        return None
    return {**anew(cursor), "kind": kinds[place]}

"""What did not agree at once: links by number, and a name for every difference.

A link is made by numbers alone, never by amount or time: two families may pay the same fee in one minute.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple

from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.domain.breaks import Break

PAYMENT, REFUND = "payment", "refund"
SUCCEEDED, WAITING, ENDED = "succeeded", "waiting", "ended"
DIRECT, MERCHANT = "direct", "merchant"
_MARGIN = 1
"""Days by which the channel's day and ours may lie apart: midnight is not the same everywhere."""


class Ours(NamedTuple):
    """A payment or refund of ours. `id` is the channel's number of a payment, our number of a refund."""

    channel: str
    kind: str
    id: str
    number: str
    order: str
    fen: int
    day: date
    state: str
    settlement: str
    pay_code: str
    second: bool


class Theirs(NamedTuple):
    """A line of a statement; `id` as in Ours."""

    channel: str
    kind: str
    id: str
    number: str
    fen: int
    day: date
    place: int


class Confirmed(NamedTuple):
    """A confirmation of the finance office. `id` is the channel's number, if it says so."""

    pay_code: str
    tra_no: str
    id: str
    fen: int
    day: date


class Booked(NamedTuple):
    """What the books say came (or went, as a refund) under a number."""

    channel: str
    kind: str
    number: str
    fen: int
    day: date


class Suspects(NamedTuple):
    """The rows that did not agree at once, and rows of ours that agree but that others speak of."""

    ours: Sequence[Ours]
    known: Sequence[Ours]
    theirs: Sequence[Theirs]
    confirmed: Sequence[Confirmed]
    booked: Sequence[Booked]


class Window(NamedTuple):
    """The days that are reconciled. `covered` are (channel, day) of usable statements; `confirmed_until` is
    the last day of which finance has told."""

    first: date
    last: date
    covered: Collection[tuple[str, date]]
    confirmed_until: date

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


class Judged(NamedTuple):
    """The breaks, sorted, and which of ours each line was linked to: (line's place, number)."""

    breaks: list[Break]
    links: list[tuple[int, str]]


def judge(suspects: Suspects, window: Window) -> Judged:
    """Name every difference within the window."""
    found: list[Break] = []
    linked, links = _lines(suspects, window, found)
    _unlinked(suspects, linked, window, found)
    _finance(suspects, window, found)
    _books(suspects, window, found)
    return Judged(sorted(set(found)), links)


def _lines(suspects: Suspects, window: Window, found: list[Break]) -> tuple[set[Ours], list[tuple[int, str]]]:
    ours = [*suspects.ours, *suspects.known]
    by_id = {(o.channel, o.kind, o.id): o for o in ours if o.id}
    by_number = {(o.channel, o.kind, o.number): o for o in ours}
    lines = _once(suspects.theirs, window, found)
    linked: dict[Theirs, Ours] = {}
    for line in lines:
        if (o := by_id.get((line.channel, line.kind, line.id))) is not None:
            linked[line] = o
    taken = {*linked.values(), *(o for o in suspects.known if o.state == SUCCEEDED)}
    for line in lines:
        if line in linked:
            continue
        near = by_number.get((line.channel, line.kind, line.number))
        if near is not None and near not in taken:
            linked[line] = near
            taken.add(near)
        elif window.holds(line.day):
            kind = b.REFUND_ONLY_CHANNEL if line.kind == REFUND else b.ONLY_CHANNEL
            if near is not None and line.kind == PAYMENT:
                kind = b.CHARGED_TWICE
            found.append(_of_line(kind, line, near.order if near else ""))
    for line, o in linked.items():
        if window.holds(line.day) or window.holds(o.day):
            _compare(line, o, found)
    return {*linked.values()}, sorted((line.place, o.number) for line, o in linked.items())


def _once(lines: Iterable[Theirs], window: Window, found: list[Break]) -> list[Theirs]:
    first: dict[tuple[str, str, str], Theirs] = {}
    for line in sorted(lines, key=lambda each: (each.day, each.place)):
        kept = first.setdefault((line.channel, line.kind, line.id), line)
        if kept is not line and window.holds(line.day):
            found.append(_of_line(b.LINE_TWICE, line))
    return list(first.values())


def _of_line(kind: str, line: Theirs, order: str = "") -> Break:
    fen = -line.fen if line.kind == REFUND else line.fen
    return Break(kind, line.channel, line.id, line.day.isoformat(), fen, order or line.number, line.id)


def _of_ours(kind: str, o: Ours, fen: int, detail: str = "") -> Break:
    key = o.number
    return Break(kind, o.channel, key, o.day.isoformat(), fen, o.order, o.id, detail)


def _compare(line: Theirs, o: Ours, found: list[Break]) -> None:
    refund = line.kind == REFUND
    sign = -1 if refund else 1
    if o.state != SUCCEEDED:
        late = b.AFTER_CLOSE if o.state == ENDED else b.NOT_CREDITED
        kind = b.REFUND_NOT_BOOKED if refund else late
        found.append(
            _of_ours(kind, o, sign * line.fen)._replace(day=line.day.isoformat(), channel_id=line.id)
        )
        return
    if (o.id and line.id != o.id) or (line.number != o.number and not o.second):
        found.append(_of_ours(b.NUMBER, o, 0, f"账单 {line.number} {line.id}"))
    if line.fen != o.fen:
        found.append(_of_ours(b.REFUND_AMOUNT if refund else b.AMOUNT, o, sign * (line.fen - o.fen)))
    if abs((line.day - o.day).days) > _MARGIN:
        found.append(_of_ours(b.OTHER_DAY, o, 0, f"账单 {line.day}"))


def _unlinked(suspects: Suspects, linked: set[Ours], window: Window, found: list[Break]) -> None:
    for o in suspects.ours:
        if o.state != SUCCEEDED or o in linked or not window.holds(o.day):
            continue
        if (o.channel, o.day) in window.covered:
            refund = o.kind == REFUND
            found.append(
                _of_ours(b.REFUND_ONLY_OURS if refund else b.ONLY_OURS, o, o.fen if refund else -o.fen)
            )


def _finance(suspects: Suspects, window: Window, found: list[Break]) -> None:
    told: dict[str, list[Confirmed]] = defaultdict(list)
    for each in sorted(suspects.confirmed, key=lambda c: (c.day, c.tra_no)):
        told[each.pay_code].append(each)
    paid: dict[str, list[Ours]] = defaultdict(list)
    for o in (*suspects.ours, *suspects.known):
        if o.pay_code and o.kind == PAYMENT and o.state == SUCCEEDED:
            paid[o.pay_code].append(o)
    known = set(suspects.known)
    for code in sorted({*told, *paid}):
        direct = [o for o in paid[code] if o.settlement == DIRECT]
        rest = list(told[code])
        for o in sorted(direct, key=lambda o: o.number):
            mine = next((c for c in rest if c.id == o.id), rest[0] if rest else None)
            if mine is not None:
                rest.remove(mine)
                if mine.fen != o.fen and window.holds(o.day):
                    found.append(_of_ours(b.FINANCE_AMOUNT, o, mine.fen - o.fen))
            elif o not in known and window.holds(o.day) and o.day <= window.confirmed_until:
                found.append(_of_ours(b.FINANCE_MISSING, o, -o.fen))
        kind = b.FINANCE_TWICE if direct else b.FINANCE_MODEL if paid[code] else b.FINANCE_ONLY
        order = paid[code][0].order if paid[code] else code
        for c in rest:
            if window.holds(c.day):
                found.append(Break(kind, "nontax", c.tra_no, c.day.isoformat(), c.fen, order, c.id))


def _books(suspects: Suspects, window: Window, found: list[Break]) -> None:
    booked = {(e.channel, e.kind, e.number): e for e in suspects.booked}
    for o in suspects.ours:
        if o.state != SUCCEEDED:
            continue
        entry = booked.pop((o.channel, o.kind, o.number), None)
        sign = -1 if o.kind == REFUND else 1
        if not window.holds(o.day):
            continue
        if entry is None:
            found.append(_of_ours(b.LEDGER_MISSING, o, sign * o.fen))
        elif entry.fen != o.fen:
            found.append(_of_ours(b.LEDGER_AMOUNT, o, sign * (o.fen - entry.fen)))
    known = {(o.channel, o.kind, o.number) for o in suspects.known if o.state == SUCCEEDED}
    for key, entry in booked.items():
        if key not in known and window.holds(entry.day):
            sign = 1 if entry.kind == REFUND else -1
            day = entry.day.isoformat()
            found.append(
                Break(b.LEDGER_ONLY, entry.channel, entry.number, day, sign * entry.fen, entry.number)
            )

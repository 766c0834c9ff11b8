"""Millions of rows that agree are recognised by the database; only the others come here.

The four sides are any four SELECTs with the columns of `domain.matching`: the tables of the system, or those
of a benchmark. One full join over them; nothing that agrees on all sides leaves the server. Confirmations and
books that agree as a whole, by count and checksum, are not joined: the usual week has nothing to find there.
"""

import secrets
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeVar

from django.db import connection

from xueka.contexts.treasury.domain.matching import (
    DIRECT,
    PAYMENT,
    Booked,
    Confirmed,
    Ours,
    Suspects,
    Theirs,
)

Side = TypeVar("Side", Ours, Theirs, Confirmed, Booked)


class Sides(NamedTuple):
    """SELECTs. `ours` without a restriction by day: the rows that others speak of are looked up in it."""

    ours: str
    theirs: str
    confirmed: str
    booked: str


_JOIN = """
WITH o AS (SELECT * FROM ({ours}) x WHERE day BETWEEN %(first)s AND %(last)s AND state = 'succeeded'),
     l AS (SELECT * FROM ({theirs}) x WHERE day BETWEEN %(first)s AND %(last)s),
     c AS (SELECT * FROM ({confirmed}) x WHERE day BETWEEN %(first)s AND %(last)s),
     k AS (SELECT * FROM ({booked}) x WHERE day BETWEEN %(first)s AND %(last)s)
SELECT o.*, l.*, c.*, k.*
  FROM o
  FULL JOIN l ON l.id = o.id AND l.channel = o.channel AND l.kind = o.kind
  {c_joined}
  {k_joined}
 WHERE (l.fen = o.fen AND l.number = o.number AND abs(l.day - o.day) <= 1 AND {k_agrees} AND {c_agrees})
       IS NOT TRUE
"""
#: How a side is joined and what must hold: where it is to be compared, and where it agrees as a whole.
_CONFIRMED_COMPARED = {
    "c_joined": "FULL JOIN c ON c.pay_code = CASE WHEN o.kind = 'payment' THEN o.pay_code END",
    "c_agrees": "CASE WHEN o.settlement = 'direct' AND o.kind = 'payment' THEN c.fen = o.fen"
    " ELSE c.fen IS NULL END",
}
_CONFIRMED_AGREES = {"c_joined": "LEFT JOIN c ON false", "c_agrees": "true"}
_BOOKED_COMPARED = {
    "k_joined": "FULL JOIN k ON k.number = o.number AND k.channel = o.channel AND k.kind = o.kind",
    "k_agrees": "k.fen = o.fen",
}
_BOOKED_AGREES = {"k_joined": "LEFT JOIN k ON false", "k_agrees": "true"}
#: The same number of the channel on two lines, a code confirmed twice: each of them agrees by itself.
_LINES_TWICE = """
SELECT y.* FROM ({theirs}) y JOIN (
    SELECT channel, kind, id FROM ({theirs}) x WHERE day BETWEEN %(first)s AND %(last)s
     GROUP BY channel, kind, id HAVING count(*) > 1) d
    ON (d.channel, d.kind, d.id) = (y.channel, y.kind, y.id)
 WHERE y.day BETWEEN %(first)s AND %(last)s
"""
_CONFIRMED_TWICE = """
SELECT y.* FROM ({confirmed}) y JOIN (
    SELECT pay_code FROM ({confirmed}) x WHERE day BETWEEN %(first)s AND %(last)s
     GROUP BY pay_code HAVING count(*) > 1) d ON d.pay_code = y.pay_code
 WHERE y.day BETWEEN %(first)s AND %(last)s
"""
_KNOWN = """
SELECT * FROM ({ours}) x
 WHERE number = ANY(%(numbers)s) OR (id <> '' AND id = ANY(%(ids)s))
    OR (pay_code <> '' AND pay_code = ANY(%(codes)s))
"""
#: The other halves of rows that stand alone so far, on whatever day they lie.
_HALVES = {
    "theirs": "SELECT * FROM ({theirs}) x WHERE id = ANY(%(ids)s) OR number = ANY(%(numbers)s)",
    "confirmed": "SELECT * FROM ({confirmed}) x WHERE pay_code <> '' AND pay_code = ANY(%(codes)s)",
    "booked": "SELECT * FROM ({booked}) x WHERE number = ANY(%(numbers)s)",
}
#: One number of 64 bits for a row; the sum of them is the checksum of a side. The seed is another at each
#: run: nobody can make rows that cancel out.
_TOLD = "hashtextextended(pay_code, fen # %(seed)s)"
_ENTERED = "hashtextextended(number, hashtextextended(channel, hashtextextended(kind, fen # %(seed)s)))"
_OUR_DAYS = f"""
SELECT channel, day, count(*) FILTER (WHERE ok), count(*) FILTER (WHERE told IS NOT NULL),
       coalesce(sum(told), 0), coalesce(sum(entered) FILTER (WHERE ok), 0)
  FROM (SELECT channel, day, state = 'succeeded' AS ok, {_ENTERED} AS entered,
               CASE WHEN state = 'succeeded' AND settlement = 'direct' AND kind = 'payment'
                    THEN {_TOLD} END AS told
          FROM ({{ours}}) x WHERE day BETWEEN %(first)s AND %(last)s) x GROUP BY channel, day
"""  # noqa: S608
_THEIR_DAYS = """
SELECT channel, day, count(*), sum(CASE WHEN kind = 'refund' THEN -fen ELSE fen END)
  FROM ({theirs}) x WHERE day BETWEEN %(first)s AND %(last)s GROUP BY channel, day
"""
_WITHIN = "WHERE day BETWEEN %(first)s AND %(last)s"
_CONFIRMATIONS = f"SELECT count(*), coalesce(sum({_TOLD}), 0) FROM ({{confirmed}}) x {_WITHIN}"  # noqa: S608
_ENTRIES = f"SELECT count(*), coalesce(sum({_ENTERED}), 0) FROM ({{booked}}) x {_WITHIN}"  # noqa: S608


class Days(NamedTuple):
    """What each side has on a (channel, day): `ours` are (succeeded, of these confirmed by finance), `theirs`
    (lines, fen). `told`: all of our direct payments and nothing else is confirmed. `entered`: the books have
    all of ours and nothing else.
    """

    ours: dict[tuple[str, date], tuple[int, int]]
    theirs: dict[tuple[str, date], tuple[int, int]]
    confirmations: int
    told: bool
    entered: bool


def days(sides: Sides, first: date, last: date) -> Days:
    """The counts of both days and all between."""
    between = {"first": first, "last": last, "seed": secrets.randbits(62)}
    with connection.cursor() as cursor:
        rows = list(_rows(cursor, _OUR_DAYS, sides, between))
        theirs = {(c, d): (n, int(fen)) for c, d, n, fen in _rows(cursor, _THEIR_DAYS, sides, between)}
        [confirmed] = _rows(cursor, _CONFIRMATIONS, sides, between)
        [booked] = _rows(cursor, _ENTRIES, sides, between)
    count, direct, told, entered = (sum(row[n] for row in rows) for n in range(2, 6))
    ours = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    return Days(ours, theirs, confirmed[0], confirmed == (direct, told), booked == (count, entered))


def suspects(sides: Sides, first: date, last: date, counted: Days) -> Suspects:
    """Every row between the two days that does not agree on all its sides. `counted` is of the same days."""
    between = {"first": first, "last": last}
    with connection.cursor() as cursor:
        # Hash tables of a city's week stay in memory; whole columns are read, so several workers pay.
        cursor.execute("SET LOCAL work_mem = '256MB'")
        c = _CONFIRMED_AGREES if counted.told else _CONFIRMED_COMPARED
        k = _BOOKED_AGREES if counted.entered else _BOOKED_COMPARED
        cursor.execute(_JOIN.format(**sides._asdict(), **c, **k), between)
        ours: set[Ours] = set()
        theirs: set[Theirs] = set()
        confirmed: set[Confirmed] = set()
        booked: set[Booked] = set()
        while rows := cursor.fetchmany(5000):
            for row in rows:
                _take(row, 0, Ours, ours)
                _take(row, 11, Theirs, theirs)
                _take(row, 18, Confirmed, confirmed)
                _take(row, 23, Booked, booked)
        # Where each of ours that agrees has one line and one confirmation, nothing is there twice.
        agree = sum(n for n, _ in counted.ours.values()) - len(ours)
        if sum(n for n, _ in counted.theirs.values()) - len(theirs) != agree:
            theirs |= {Theirs(*row) for row in _rows(cursor, _LINES_TWICE, sides, between)}
        direct = sum(each.settlement == DIRECT and each.kind == PAYMENT for each in ours)
        all_direct = sum(n for _, n in counted.ours.values())
        if not counted.told and counted.confirmations - len(confirmed) != all_direct - direct:
            confirmed |= {Confirmed(*row) for row in _rows(cursor, _CONFIRMED_TWICE, sides, between)}
        alone = {
            "numbers": sorted({each.number for each in ours}),
            "ids": sorted({each.id for each in ours}),
            "codes": sorted({each.pay_code for each in ours}),
        }
        theirs |= {Theirs(*row) for row in _rows(cursor, _HALVES["theirs"], sides, alone)}
        confirmed |= {Confirmed(*row) for row in _rows(cursor, _HALVES["confirmed"], sides, alone)}
        booked |= {Booked(*row) for row in _rows(cursor, _HALVES["booked"], sides, alone)}
        known = _spoken_of(cursor, sides, ours, theirs, confirmed, booked)
    waiting = {each for each in known if each.state != "succeeded"}
    return Suspects(sorted(ours | waiting), sorted(known - ours - waiting), sorted(theirs), sorted(confirmed),
                    sorted(booked))  # fmt: skip


def _spoken_of(
    cursor: Any,
    sides: Sides,
    ours: set[Ours],
    theirs: set[Theirs],
    confirmed: set[Confirmed],
    booked: set[Booked],
) -> set[Ours]:
    """Rows of ours that others speak of. A number of a row that is at hand is not looked up again: where only
    the amount differs, which is most of it, all are.
    """
    numbers = {(each.channel, each.kind, each.number) for each in ours}
    ids = {(each.channel, each.kind, each.id) for each in ours}
    named = {(each.channel, each.kind, each.number) for each in theirs}
    named |= {(each.channel, each.kind, each.number) for each in booked}
    spoken = {
        "numbers": sorted({number for *_, number in named - numbers}),
        "ids": sorted({id_ for *_, id_ in {(each.channel, each.kind, each.id) for each in theirs} - ids}),
        "codes": sorted({each.pay_code for each in confirmed}),
    }
    return {Ours(*row) for row in _rows(cursor, _KNOWN, sides, spoken)}


def _rows(cursor: Any, statement: str, sides: Sides, values: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
    cursor.execute(statement.format(**sides._asdict()), values)
    return list(cursor.fetchall())


def _take(row: tuple[Any, ...], start: int, side: type[Side], into: set[Side]) -> None:
    if row[start] is not None:
        into.add(side(*row[start : start + len(side._fields)]))

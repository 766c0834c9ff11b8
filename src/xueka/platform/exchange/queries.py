"""Reading the exchange: health of each line, ages, dead letters. Contents come masked.

The exchange knows no scope of its own: whoever asks has the permission `city:interop:read`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from xueka.kernel import clock, masking
from xueka.kernel.errors import NotFound
from xueka.platform.crypto.fields import open_bytes
from xueka.platform.exchange.models import CLOSED, DEAD, IN, OUT, Incoming, Line, Outgoing
from xueka.platform.files import services as files

#: Names of content that is personal, and how it is shown.
_MASKED = {
    "name": masking.mask_name,
    "guardian_name": masking.mask_name,
    "id_number": masking.mask_id,
    "phone": masking.mask_phone,
    "address": masking.mask_all,
    "email": masking.mask_all,
    "birth_date": masking.mask_all,
}
#: Names of content that say nothing of a person, as far as numbers of people do not stand in it. What has
#: another name is hidden: a counterpart may send members that nobody has told us of.
_PLAIN = frozenset([
    "id", "kind", "key", "sequence", "occurred_at", "data", "file", "sha256", "size", "card", "card_kind",
    "transit_number", "beijing_tong_number", "education_id", "state", "status", "ask", "accepted", "code",
    "reason", "note", "blocked", "granted", "fare", "valid_until", "as_of", "until", "at", "on", "turn",
    "version", "count", "quantity", "width", "prefix", "first", "last", "number", "request", "document",
    "digest", "script", "result", "direction", "order", "rejected", "replaces", "planned_on", "due_on",
    "needed_on", "in_force_at", "listed", "entries", "id_type",
])  # fmt: skip
_SMALL = 1_000_000  # no number of a person is as small


@dataclass(frozen=True, slots=True)
class Health:
    """One counterpart just now. `failed` were tried in vain and are tried again; `held` wait behind a dead
    letter.

    `oldest_seconds`: how long the oldest message that has not arrived has waited. `received`: today.
    """

    counterpart: str
    breaker: str
    open_until: datetime | None
    answered_at: datetime | None
    problem: str
    queued: int
    delivered: int
    failed: int
    dead: int
    held: int
    oldest_seconds: int
    received: int
    waiting: int
    gaps: int
    incoming_dead: int


def health(codes: Sequence[str]) -> list[Health]:
    """The health of these counterparts, in this order."""
    with connection.cursor() as cursor:
        cursor.execute(_OUT, [clock.now(), list(codes)])
        out = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_DELIVERED, [list(codes)])
        delivered = {code: int(count) for code, count in cursor.fetchall()}
        cursor.execute(_IN, [list(codes)])
        came = {row[0]: row[1:] for row in cursor.fetchall()}
    midnight = clock.local(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    today = moved(codes, midnight)
    known = lines(codes)
    found = []
    for code in codes:
        line = known[code]
        queued, failed, dead, held, oldest = out.get(code, (0, 0, 0, 0, 0))
        found.append(
            Health(
                code,
                line.breaker,
                line.open_until if line.breaker != CLOSED else None,
                line.answered_at,
                line.problem,
                queued,
                delivered.get(code, 0),
                failed,
                dead,
                held,
                int(oldest or 0),
                today[code][1],
                *came.get(code, (0, 0, 0)),
            )
        )
    return found


#: What has not ended, by the keys that have something: no question that grows with the history.
_OUT = """
    SELECT s.counterpart, count(*) FILTER (WHERE o.state = 'queued'),
           count(*) FILTER (WHERE o.state = 'queued' AND o.tries > 0 AND o.code <> ''),
           count(*) FILTER (WHERE o.state = 'dead'),
           count(*) FILTER (WHERE o.state = 'queued' AND s.held),
           greatest(extract(epoch FROM %s - min(o.created_at)), 0)
      FROM exchange_stream s JOIN exchange_outgoing o ON o.stream_id = s.id AND o.seq > s.done_seq
     WHERE s.direction = 'out' AND s.last_seq > s.done_seq AND s.counterpart = ANY(%s)
     GROUP BY s.counterpart"""
#: Numbers have no gap, so that a key's last delivered one is how many were.
_DELIVERED = """
    SELECT counterpart, sum(done_seq) FROM exchange_stream
     WHERE direction = 'out' AND counterpart = ANY(%s) GROUP BY counterpart"""
_IN = """
    SELECT s.counterpart, count(*) FILTER (WHERE i.state = 'waiting'),
           count(*) FILTER (WHERE i.state = 'waiting' AND i.seq > s.done_seq + 1 AND NOT s.held
                              AND NOT EXISTS (SELECT 1 FROM exchange_incoming b
                                               WHERE b.stream_id = s.id AND b.seq = s.done_seq + 1)),
           count(*) FILTER (WHERE i.state = 'dead')
      FROM exchange_stream s JOIN exchange_incoming i ON i.stream_id = s.id AND i.seq > s.done_seq
     WHERE s.direction = 'in' AND s.last_seq > s.done_seq AND s.counterpart = ANY(%s)
     GROUP BY s.counterpart"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What has not ended at one counterpart, in both directions; asked of the keys that have something, not
    of everything that ever was sent.
    """

    waiting: int = 0
    failing: int = 0
    dead: int = 0
    incoming_dead: int = 0
    oldest_seconds: int = 0


def unfinished(codes: Sequence[str]) -> dict[str, Unfinished]:
    """By counterpart; those with nothing unfinished too."""
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED, {"now": clock.now(), "codes": list(codes)})
        found = {row[0]: Unfinished(*map(int, row[1:])) for row in cursor.fetchall()}
    return {code: found.get(code, Unfinished()) for code in codes}


_UNFINISHED = """
    SELECT counterpart, sum(waiting), sum(failing), sum(dead), sum(incoming_dead),
           coalesce(max(greatest(extract(epoch FROM %(now)s - oldest), 0)), 0)
      FROM (SELECT s.counterpart, count(*) FILTER (WHERE o.state = 'queued') AS waiting,
                   count(*) FILTER (WHERE o.state = 'queued' AND o.tries > 0 AND o.code <> '') AS failing,
                   count(*) FILTER (WHERE o.state = 'dead') AS dead, 0 AS incoming_dead,
                   min(o.created_at) AS oldest
              FROM exchange_stream s JOIN exchange_outgoing o ON o.stream_id = s.id AND o.seq > s.done_seq
             WHERE s.direction = 'out' AND s.last_seq > s.done_seq AND s.counterpart = ANY(%(codes)s)
               AND o.state IN ('queued', 'dead')
             GROUP BY s.counterpart
            UNION ALL
            SELECT s.counterpart, count(*) FILTER (WHERE i.state = 'waiting'), 0, 0,
                   count(*) FILTER (WHERE i.state = 'dead'), min(i.received_at)
              FROM exchange_stream s JOIN exchange_incoming i ON i.stream_id = s.id AND i.seq > s.done_seq
             WHERE s.direction = 'in' AND s.last_seq > s.done_seq AND s.counterpart = ANY(%(codes)s)
               AND i.state IN ('waiting', 'dead')
             GROUP BY s.counterpart) AS each
     GROUP BY counterpart"""


def moved(codes: Sequence[str], first: datetime) -> dict[str, tuple[int, int, int]]:
    """By counterpart: delivered, received, tries in vain since `first`."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, {"first": first, "codes": list(codes)})
        found = {code: (int(sent), int(came), int(failed)) for code, sent, came, failed in cursor.fetchall()}
    return {code: found.get(code, (0, 0, 0)) for code in codes}


_MOVED = """
    SELECT counterpart, sum(sent), sum(came), sum(failed) FROM (
        SELECT s.counterpart, count(*) AS sent, 0 AS came, 0 AS failed
          FROM exchange_outgoing o JOIN exchange_stream s ON s.id = o.stream_id
         WHERE o.state = 'delivered' AND o.ended_at >= %(first)s GROUP BY 1
        UNION ALL
        SELECT counterpart, 0, count(*), 0 FROM exchange_incoming WHERE received_at >= %(first)s GROUP BY 1
        UNION ALL
        SELECT s.counterpart, 0, 0, count(*)
          FROM exchange_attempt a JOIN exchange_outgoing o ON o.id = a.outgoing_id
          JOIN exchange_stream s ON s.id = o.stream_id
         WHERE a.at >= %(first)s AND a.code <> '' GROUP BY 1) AS each
     WHERE counterpart = ANY(%(codes)s) GROUP BY counterpart"""


def dead_count() -> int:
    """How many messages of either direction wait for a person: one number for the menu."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM exchange_outgoing WHERE state = 'dead')"
            " + (SELECT count(*) FROM exchange_incoming WHERE state = 'dead')"
        )
        return int(cursor.fetchone()[0])


def lines(codes: Sequence[str]) -> dict[str, Line]:
    """What is known of the way to each; an unused line where nothing is."""
    found = {each.counterpart: each for each in Line.objects.filter(counterpart__in=codes)}
    return {code: found.get(code) or Line(counterpart=code) for code in codes}


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a line: messages posted and delivered, tries in vain, messages that came."""

    hour: datetime
    posted: int
    delivered: int
    failed_tries: int
    received: int


def throughput(counterpart: str, hours: int = 24) -> list[Hour]:
    """The last hours with the present one, oldest first; empty hours stand as zeros."""
    last = clock.now().replace(minute=0, second=0, microsecond=0)
    since = last - timedelta(hours=hours - 1)
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, {"since": since, "code": counterpart})
        found = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
    steps = [since + timedelta(hours=each) for each in range(hours)]
    kinds = ("posted", "delivered", "failed", "received")
    return [Hour(each, *(found.get((kind, each), 0) for kind in kinds)) for each in steps]


#: Each by its own time first: what a counterpart was ever sent is millions, of a day thousands.
_HOURS = """
    SELECT 'posted', date_trunc('hour', o.created_at), count(*)
      FROM exchange_outgoing o JOIN exchange_stream s ON s.id = o.stream_id
     WHERE s.counterpart = %(code)s AND o.created_at >= %(since)s GROUP BY 2
    UNION ALL SELECT 'delivered', date_trunc('hour', o.ended_at), count(*)
      FROM exchange_outgoing o JOIN exchange_stream s ON s.id = o.stream_id
     WHERE s.counterpart = %(code)s AND o.state = 'delivered' AND o.ended_at >= %(since)s GROUP BY 2
    UNION ALL SELECT 'failed', date_trunc('hour', a.at), count(*)
      FROM exchange_attempt a JOIN exchange_outgoing o ON o.id = a.outgoing_id
      JOIN exchange_stream s ON s.id = o.stream_id
     WHERE s.counterpart = %(code)s AND a.at >= %(since)s AND a.code <> '' GROUP BY 2
    UNION ALL SELECT 'received', date_trunc('hour', received_at), count(*) FROM exchange_incoming
     WHERE counterpart = %(code)s AND received_at >= %(since)s GROUP BY 2"""


def outgoing(counterpart: str = "") -> QuerySet[Outgoing]:
    rows = Outgoing.objects.select_related("stream").defer("envelope").order_by("-id")
    return rows.filter(stream__counterpart=counterpart) if counterpart else rows


def incoming(counterpart: str = "") -> QuerySet[Incoming]:
    rows = Incoming.objects.select_related("stream").defer("raw").order_by("-id")
    return rows.filter(counterpart=counterpart) if counterpart else rows


def dead_letters(counterpart: str = "") -> QuerySet[Outgoing]:
    """Oldest first: each holds back what comes after it."""
    return outgoing(counterpart).filter(state=DEAD).order_by("id")


def incoming_dead_letters(counterpart: str = "") -> QuerySet[Incoming]:
    return incoming(counterpart).filter(state=DEAD).order_by("id")


def held_back(message: Outgoing) -> int:
    """How many later messages of the key wait behind this dead letter."""
    return (
        Outgoing.objects.filter(stream=message.stream_id, seq__gt=message.seq).count()
        if message.state == DEAD
        else 0
    )


def found(way: str, message: int) -> Outgoing | Incoming:
    """One message of a direction (`out` or `in`). Raises NotFound `MESSAGE_NOT_FOUND`."""
    rows: Any = {OUT: Outgoing.objects, IN: Incoming.objects}[way]
    one: Outgoing | Incoming | None = rows.select_related("stream", "file").filter(id=message).first()
    if one is None:
        raise NotFound("MESSAGE_NOT_FOUND", "没有这条消息。")
    return one


def content(message: Outgoing | Incoming) -> Any:
    """The content with its personal values masked; None once it is forgotten."""
    whole = raw(message)
    return _masked(json.loads(whole)) if whole else None


def raw(message: Outgoing | Incoming) -> bytes:
    """The content as it is, for no page; empty once it is forgotten."""
    if isinstance(message, Incoming):
        return open_bytes(bytes(message.raw)) if message.raw else b""
    if message.file is not None:
        return files.read(message.file)
    return open_bytes(bytes(message.envelope)) if message.envelope else b""


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, name) for each in value]
    hide = _MASKED.get(name)
    if hide and value not in (None, ""):
        return hide(str(value))
    if name in _PLAIN:
        return masking.mask_numbers(value) if isinstance(value, str) else value
    told = isinstance(value, str) or (isinstance(value, int | float) and abs(value) >= _SMALL)
    return masking.mask_all(str(value)) if told else value

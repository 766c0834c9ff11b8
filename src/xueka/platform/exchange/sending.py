"""Sending: the heads of keys are claimed, tried side by side, and what was said is recorded.

Any number of senders may work at once: a head is claimed by one of them (SKIP LOCKED), its try is counted
before it leaves, and a claim whose sender was killed is void after its time. Then the message goes once more
under the same id, and the counterpart knows it. No answer moves a key on unless the message was still its
head.
"""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.crypto.fields import open_bytes
from xueka.platform.exchange import codes, lines
from xueka.platform.exchange.counterparts import Counterpart, Limits, counterparts
from xueka.platform.exchange.models import (
    CLOSED,
    DEAD,
    DELIVERED,
    OUT,
    QUEUED,
    Attempt,
    Line,
    Outgoing,
    Stream,
)
from xueka.platform.exchange.wire import VOID, Caller, Parcel, Said, calling, parcel
from xueka.platform.files import services as files

log = structlog.get_logger("xueka.exchange")

ROUND = 8  # messages for each call that may be under way, in one round


@dataclass(frozen=True, slots=True)
class Head:
    """A claimed head and what is to leave; `parcel` is None where its content cannot be had."""

    outgoing: Outgoing
    stream_id: int
    attempts: int
    parcel: Parcel | None
    why: str = ""


class Sender:
    """One worker's connections; `turn` makes a round for every counterpart."""

    def __init__(self) -> None:
        self._callers: dict[Counterpart, tuple[Caller, ThreadPoolExecutor]] = {}
        self._stack = ExitStack()

    def turn(self) -> int:
        """How many messages were tried; 0: nothing is due."""
        return sum(self._turn(each) for each in counterparts())

    def close(self) -> None:
        self._stack.close()
        self._callers.clear()

    def _turn(self, partner: Counterpart) -> int:
        """One that we cannot deal with must not keep the others waiting."""
        try:
            return self._round(partner)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("exchange.round_broken", counterpart=partner.code)
            return 0

    def _round(self, partner: Counterpart) -> int:
        heads, trial = claim(partner, partner.limits.at_once * ROUND)
        if not heads:
            return 0
        caller, pool = self._caller(partner)
        ready = [each for each in heads if each.parcel is not None]
        said = list(pool.map(caller.hand_over, [each.parcel for each in ready if each.parcel]))
        lost = [(each, Said(0, each.why)) for each in heads if each.parcel is None]
        record(partner, [*zip(ready, said, strict=True), *lost])
        if trial and not ready:
            with transaction.atomic():
                lines.give_back(partner, 1, trial=True)
        return len(heads)

    def _caller(self, partner: Counterpart) -> tuple[Caller, ThreadPoolExecutor]:
        if partner not in self._callers:
            made = self._stack.enter_context(calling(partner))
            pool = self._stack.enter_context(ThreadPoolExecutor(max(partner.limits.at_once, 1)))
            self._callers[partner] = (made, pool)
        return self._callers[partner]


def send_due() -> int:
    """One round for every counterpart, for whoever keeps no connections."""
    sender = Sender()
    try:
        return sender.turn()
    finally:
        sender.close()


def claim(partner: Counterpart, most: int) -> tuple[list[Head], bool]:
    """Up to `most` heads that are due, claimed and their try counted; whether it is a trial of the way."""
    if not _any_due(partner.code):
        return [], False
    token = secrets.token_hex(16)
    with transaction.atomic():
        leave = lines.take_leave(partner, most)
        if not leave.count:
            return [], False
        now = clock.now()
        until = now + timedelta(seconds=3 * partner.limits.timeout + 5)
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, [partner.code, now, leave.count, until, token])
            claimed = {row[0]: row[1:] for row in cursor.fetchall()}
        if len(claimed) < leave.count:
            lines.give_back(partner, leave.count - len(claimed), trial=leave.trial and not claimed)
    return _heads(claimed), leave.trial and bool(claimed)


_CLAIM = """
    WITH due AS (
        SELECT id FROM exchange_stream
         WHERE direction = 'out' AND counterpart = %s AND NOT held AND last_seq > done_seq AND next_at <= %s
         ORDER BY next_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE exchange_stream s SET attempts = s.attempts + 1, next_at = %s, claim = %s
      FROM due WHERE s.id = due.id RETURNING s.id, s.key, s.done_seq, s.attempts"""


def _any_due(code: str) -> bool:
    due = Stream.objects.filter(direction=OUT, counterpart=code, held=False, next_at__lte=clock.now())
    return due.extra(where=["last_seq > done_seq"]).exists()


def _heads(claimed: dict[int, tuple[str, int, int]]) -> list[Head]:
    if not claimed:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.id FROM exchange_outgoing o JOIN unnest(%s::bigint[], %s::bigint[]) AS h (stream, seq)"
            " ON o.stream_id = h.stream AND o.seq = h.seq",
            [list(claimed), [done + 1 for _, done, _ in claimed.values()]],
        )
        ids = [row[0] for row in cursor.fetchall()]
    made = []
    for each in Outgoing.objects.filter(id__in=ids).select_related("file"):
        key, _, attempts = claimed[each.stream_id]
        try:
            made.append(Head(each, each.stream_id, attempts, _parcel(each, key)))
        except XuekaError as error:
            log.error("exchange.unreadable", outgoing=each.pk, code=error.code)
            made.append(Head(each, each.stream_id, attempts, None, codes.UNREADABLE))
        except LookupError:
            made.append(Head(each, each.stream_id, attempts, None, codes.FORGOTTEN))
    return made


def _parcel(message: Outgoing, key: str) -> Parcel:
    when = clock.local(message.occurred_at).isoformat(timespec="seconds")
    if message.is_void:
        return parcel(message.message_id, VOID, key, message.seq, when, b"", False)
    if message.file is not None:
        content = files.read(message.file)
    elif message.envelope:
        content = open_bytes(bytes(message.envelope))
    else:
        raise LookupError(message.pk)
    return parcel(message.message_id, message.kind, key, message.seq, when, content, message.file is not None)


def record(partner: Counterpart, results: Sequence[tuple[Head, Said]]) -> None:
    """What was said of each. Keys that a business transaction holds just now are waited for one by one, so
    that we never hold one while waiting for another.
    """
    by_stream = {head.stream_id: (head, said) for head, said in results}
    with transaction.atomic():
        # The counterpart knows what it has; losing this record costs a repetition, waiting for the disk each
        # time more.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        free = Stream.objects.filter(id__in=by_stream).select_for_update(skip_locked=True, no_key=True)
        got = {each.id: each for each in free}
        _record(partner, [(got[place], *by_stream[place]) for place in got])
        _tell_line(partner, [said for _, said in results])
    for place in by_stream.keys() - got.keys():
        _record_one(partner, place, *by_stream[place])


def _record_one(partner: Counterpart, place: int, head: Head, said: Said) -> None:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")
            _record(partner, [(Stream.objects.select_for_update(no_key=True).get(id=place), head, said)])
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        log.info("exchange.record_later", stream=place)  # its claim runs out, and it goes once more


def _record(partner: Counterpart, rows: Sequence[tuple[Stream, Head, Said]]) -> None:
    now, limits = clock.now(), partner.limits
    open_way = not Line.objects.filter(counterpart=partner.code).exclude(breaker=CLOSED).exists()
    streams: list[tuple[Any, ...]] = []
    messages: list[tuple[Any, ...]] = []
    tries = []
    for stream, head, said in rows:
        message = head.outgoing
        if head.parcel is not None:
            at = now - timedelta(milliseconds=said.ms)
            tries.append(
                Attempt(
                    outgoing=message, at=at, status=said.status, code=said.code, said=said.text, ms=said.ms
                )
            )
        if stream.done_seq != message.seq - 1:  # another sender was quicker, or somebody asked for it again
            continue
        done, held, attempts, again = stream.done_seq, False, head.attempts, now
        state, code = QUEUED, said.code
        if said.accepted:
            state, done, attempts = DELIVERED, message.seq, 0
        elif said.code == codes.GAP and 1 <= said.expected < message.seq and _may_go_back(message, limits):
            done, attempts = said.expected - 1, 0
            again = lines.retry_at(limits, head.attempts, now)
            _queue_again(stream.id, said.expected)
        elif deadly := _deadly(said, head.attempts, limits.max_tries, open_way):
            state, code, held = DEAD, deadly, True
            log.warning("exchange.dead", counterpart=partner.code, outgoing=message.pk, code=code)
        else:
            again = max(lines.retry_at(limits, attempts, now), now + timedelta(seconds=said.wait))
        streams.append((stream.id, done, held, attempts, again))
        messages.append((message.id, state, None if state == QUEUED else now, code, said.text[:200]))
    Attempt.objects.bulk_create(tries)
    if not streams:
        return
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [list(each) for each in zip(*streams, strict=True)])
        cursor.execute(_END, [list(each) for each in zip(*messages, strict=True)])


_MOVE = """
    UPDATE exchange_stream s
       SET done_seq = t.done, held = t.held, attempts = t.attempts, next_at = t.again, claim = ''
      FROM unnest(%s::bigint[], %s::bigint[], %s::boolean[], %s::int[], %s::timestamptz[])
           AS t (id, done, held, attempts, again)
     WHERE s.id = t.id"""
_END = """
    UPDATE exchange_outgoing o
       SET state = t.state, ended_at = t.ended, code = t.code, problem = t.problem, tries = o.tries + 1
      FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::text[])
           AS t (id, state, ended, code, problem)
     WHERE o.id = t.id"""


def _may_go_back(message: Outgoing, limits: Limits) -> bool:
    """Not without end: a counterpart that never finds what it has is a matter for a person."""
    return Attempt.objects.filter(outgoing=message, code=codes.GAP).count() < limits.max_tries


def _queue_again(stream: int, first: int) -> None:
    """The counterpart has lost what it had: what it lacks goes again, in order."""
    again = Outgoing.objects.filter(stream=stream, seq__gte=first, state=DELIVERED)
    again.update(state=QUEUED, ended_at=None)


def _deadly(said: Said, attempts: int, most: int, open_way: bool) -> str:
    """The code of a dead letter. A counterpart that is down makes none: only while others pass are tries
    counted.
    """
    if said.code in (codes.REFUSED, codes.UNREADABLE, codes.FORGOTTEN):
        return said.code
    if said.code in (codes.ERROR, codes.GAP) and attempts >= most and open_way:
        return codes.TRIED
    return ""


def _tell_line(partner: Counterpart, said: Sequence[Said]) -> None:
    heard = [each for each in said if each.status or each.code == codes.NO_ANSWER]
    bad = [each for each in heard if each.code in codes.OF_THE_WAY and each.code != codes.BUSY]
    if heard:
        lines.hear(
            partner,
            sum(each.accepted for each in heard),
            len(bad),
            f"{codes.words(bad[-1].code)} {bad[-1].text}".strip() if bad else "",
            max(each.wait for each in heard),
        )

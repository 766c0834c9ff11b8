"""Sending again what was sent: one, everything since a place or a time, or what a filter finds. Never edited.

The order of a key is kept, so whoever wants one of its messages again gets the later ones of the key as well;
the counterpart knows them by their ids and applies none twice. `preview` counts both.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Min, QuerySet

from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.exchange.models import (
    DEAD,
    DELIVERED,
    PASSED,
    QUEUED,
    WAITING,
    Incoming,
    Outgoing,
    Stream,
)
from xueka.platform.identity.actor import Actor

MANAGE = "city:interop:manage"


@dataclass(frozen=True, slots=True)
class Which:
    """What is to go again; empty parts ask for nothing. `since`: a bookmark by time, `after`: by message
    number.

    `states`: what was delivered, what is dead, or both; what is queued goes by itself.
    """

    counterpart: str
    ids: Sequence[int] = ()
    keys: Sequence[str] = ()
    kind: str = ""
    code: str = ""
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    states: Sequence[str] = (DELIVERED, DEAD)


@dataclass(frozen=True, slots=True)
class Counts:
    """`matched` the filter; `messages` would go, of so many `keys`; `forgotten` have no content any more."""

    matched: int
    messages: int
    keys: int
    forgotten: int


def preview(actor: Actor, which: Which) -> Counts:
    """What `replay` would do. Raises BadInput `REPLAY_STATES`."""
    actor.require(MANAGE)
    _sendable(which)
    return _counts(which)


def replay(actor: Actor, which: Which, reason: str, expected: int | None = None) -> Counts:
    """Put the messages and the later ones of their keys into the queue again, in the caller's transaction.

    `expected`: the number of the preview. Raises BadInput `REASON_MISSING`, Refused `NOTHING_TO_REPLAY`,
    `CONTENT_FORGOTTEN`, Conflict `REPLAY_CHANGED`, what `preview` raises.
    """
    actor.require(MANAGE)
    reason = _reason(reason)
    _sendable(which)
    places = dict(_matched(which).values_list("stream").annotate(first=Min("seq")))
    _lock(places)
    counts = _counts(which)
    if not counts.messages:
        raise Refused("NOTHING_TO_REPLAY", "没有符合条件的消息。", action="请放宽条件后再试。")
    if counts.forgotten:
        raise Refused(
            "CONTENT_FORGOTTEN",
            f"其中 {counts.forgotten} 条的内容已过保存期，不能再发。",
            action="请缩小时间范围；更早的差异由每日核对补发。",
        )
    if expected is not None and expected != counts.messages:
        raise Conflict(
            "REPLAY_CHANGED",
            "符合条件的消息与预览时不同。",
            found=f"{counts.messages} 条",
            expected=f"{expected} 条",
            action="请重新预览。",
        )
    with connection.cursor() as cursor:
        values = [list(places), list(places.values())]
        cursor.execute(
            "UPDATE exchange_outgoing o SET state = 'queued', ended_at = NULL"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS t (stream, first)"
            " WHERE o.stream_id = t.stream AND o.seq >= t.first AND o.state <> 'queued'",
            values,
        )
        cursor.execute(
            "UPDATE exchange_stream s SET done_seq = least(s.done_seq, t.first - 1), held = false,"
            " attempts = 0, next_at = %s, claim = ''"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS t (stream, first)"
            " WHERE s.id = t.stream",
            [clock.now(), *values],
        )
    told = {name: value for name, value in asdict(which).items() if value and name != "states"}
    record(
        actor,
        "exchange.replay",
        "counterpart",
        which.counterpart,
        detail={
            "which": _json(told),
            "reason": reason,
            "messages": counts.messages,
            "streams": counts.keys,
        },
    )
    return counts


def give_up(actor: Actor, outgoing_id: int, reason: str) -> Outgoing:
    """A dead letter is given up: the counterpart is told that its number is passed, and the key goes on."""
    actor.require(MANAGE)
    reason = _reason(reason)
    message = _outgoing(outgoing_id)
    _lock([message.stream_id])
    message.refresh_from_db()
    if message.state != DEAD:
        raise Refused("NOT_A_DEAD_LETTER", "这条消息没有停发，不能放弃。", action="请刷新页面后再试。")
    message.is_void, message.state, message.ended_at = True, QUEUED, None
    message.save(update_fields=["is_void", "state", "ended_at"])
    Stream.objects.filter(id=message.stream_id).update(held=False, attempts=0, next_at=clock.now(), claim="")
    record(actor, "exchange.give_up", "exchange_out", message.message_id, detail={"reason": reason})
    return message


def retry_incoming(actor: Actor, incoming_id: int, reason: str) -> Incoming:
    """What came and could not be applied is tried once more, as it came."""
    return _incoming(actor, incoming_id, reason, "exchange.retry_incoming", WAITING)


def retry_many(actor: Actor, incoming_ids: Sequence[int], reason: str) -> int:
    """The same of several; returns how many. What is no dead letter (any more) is passed over.

    Raises BadInput `REASON_MISSING`, Refused `NOTHING_TO_RETRY`.
    """
    actor.require(MANAGE)
    reason = _reason(reason)
    rows = Incoming.objects.filter(id__in=list(incoming_ids), state=DEAD)
    streams = sorted(rows.values_list("stream__key", "stream_id").distinct())
    _lock([stream for _, stream in streams])
    found = list(rows.order_by("id").values_list("id", flat=True))
    if not found:
        raise Refused("NOTHING_TO_RETRY", "没有停办的消息。", action="请刷新列表后再试。")
    for each in found:
        retry_incoming(actor, each, reason)
    return len(found)


def pass_incoming(actor: Actor, incoming_id: int, reason: str) -> Incoming:
    """What came and cannot be applied is passed over, and the later ones of its key go on."""
    return _incoming(actor, incoming_id, reason, "exchange.pass_incoming", PASSED)


def jump_gap(actor: Actor, stream_id: int, reason: str) -> int:
    """A number that never came is not waited for any more; returns the first one that is there."""
    actor.require(MANAGE)
    reason = _reason(reason)
    _lock([stream_id])
    stream = Stream.objects.get(id=stream_id)
    first = (
        stream.incoming.filter(seq__gt=stream.done_seq).order_by("seq").values_list("seq", flat=True).first()
    )
    if first is None or first == stream.done_seq + 1:
        raise Refused("NO_GAP", "这里没有缺号。", action="请刷新页面后再试。")
    Stream.objects.filter(id=stream_id).update(done_seq=first - 1, next_at=clock.now())
    detail = {"key": stream.key, "from": stream.done_seq + 1, "to": first, "reason": reason}
    record(actor, "exchange.jump_gap", "counterpart", stream.counterpart, detail=detail)
    return int(first)


def _incoming(actor: Actor, incoming_id: int, reason: str, action: str, to: str) -> Incoming:
    actor.require(MANAGE)
    reason = _reason(reason)
    message = Incoming.objects.filter(id=incoming_id).first()
    if message is None:
        raise NotFound("MESSAGE_NOT_FOUND", "没有这条消息。")
    _lock([message.stream_id])
    message.refresh_from_db()
    if message.state != DEAD:
        raise Refused("NOT_A_DEAD_LETTER", "这条消息没有停办。", action="请刷新页面后再试。")
    now = clock.now()
    message.state, message.ended_at, message.tries = to, None if to == WAITING else now, 0
    message.save(update_fields=["state", "ended_at", "tries"])
    done = {"done_seq": message.seq} if to == PASSED else {}
    Stream.objects.filter(id=message.stream_id).update(held=False, attempts=0, next_at=now, **done)
    record(actor, action, "exchange_in", message.message_id, detail={"reason": reason})
    return message


def _sendable(which: Which) -> None:
    """Putting a queued one into the queue would let go the dead letter before it."""
    if unknown := set(which.states) - {DELIVERED, DEAD}:
        raise BadInput(
            "REPLAY_STATES",
            "只能补发已送达的和停发的消息。",
            found="、".join(sorted(unknown))[:40],
            expected="delivered、dead",
        )


def _matched(which: Which) -> QuerySet[Outgoing]:
    rows = Outgoing.objects.filter(id__in=list(which.ids)) if which.ids else Outgoing.objects.all()
    rows = rows.filter(stream__counterpart=which.counterpart, state__in=list(which.states))
    wanted: dict[str, Any] = {
        "stream__key__in": list(which.keys),
        "kind": which.kind,
        "code": which.code,
        "created_at__gte": which.since,
        "created_at__lt": which.until,
        "id__gt": which.after,
    }
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def _counts(which: Which) -> Counts:
    matched = _matched(which)
    places = dict(matched.values_list("stream").annotate(first=Min("seq")))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE o.envelope = '' AND o.file_id IS NULL AND NOT o.is_void)"
            "  FROM exchange_outgoing o JOIN unnest(%s::bigint[], %s::bigint[]) AS t (stream, first)"
            "    ON o.stream_id = t.stream AND o.seq >= t.first",
            [list(places), list(places.values())],
        )
        messages, forgotten = cursor.fetchone()
    return Counts(matched.count(), messages, len(places), forgotten)


def _lock(streams: Any) -> None:
    """In the order in which those who post lock them."""
    list(Stream.objects.filter(id__in=list(streams)).order_by("key").select_for_update().values_list("id"))


def _outgoing(outgoing_id: int) -> Outgoing:
    found = Outgoing.objects.filter(id=outgoing_id).first()
    if found is None:
        raise NotFound("MESSAGE_NOT_FOUND", "没有这条消息。")
    return found


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise BadInput("REASON_MISSING", "请写明理由。", where="理由", expected="一句话")
    return text[:200]


def _json(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}

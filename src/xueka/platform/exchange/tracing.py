"""What went back and forth of one key. Whoever asks has the permission `city:interop:read`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch

from xueka.platform.exchange.models import Attempt, Incoming, Outgoing, Stream
from xueka.platform.exchange.queries import incoming, outgoing


def keys_of(text: str) -> list[str]:
    """The keys of which the text is itself one, or the id of a message."""
    by_id = [
        *Outgoing.objects.filter(message_id=text).values_list("stream__key", flat=True),
        *Incoming.objects.filter(message_id=text).values_list("stream__key", flat=True),
    ]
    return sorted(set(by_id) or known_keys([text]))


def known_keys(keys: Sequence[str]) -> set[str]:
    """Those of these keys that ever had a message, of any counterpart, in either direction."""
    return set(Stream.objects.filter(key__in=list(keys)).values_list("key", flat=True))


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace, oldest first. `direction` `out` or `in`; `tries`: (when, status, code, said)."""

    at: datetime
    direction: str
    counterpart: str
    id: int
    message_id: str
    kind: str
    key: str
    seq: int
    state: str
    code: str
    problem: str
    ended_at: datetime | None
    tries: list[tuple[datetime, int, str, str]]


def trace(keys: Sequence[str], most: int = 500) -> list[Step]:
    """The messages of these keys (`card:…`, `student:…`) with every counterpart, oldest first; in each
    direction the newest `most`.
    """
    sent = outgoing().prefetch_related(Prefetch("attempts", Attempt.objects.order_by("id")))
    found = [
        _step("out", each.stream.counterpart, each.created_at, each)
        for each in sent.filter(stream__key__in=list(keys))[:most]
    ]
    found += [
        _step("in", each.counterpart, each.received_at, each)
        for each in incoming().filter(stream__key__in=list(keys))[:most]
    ]
    return sorted(found, key=lambda each: (each.at, each.direction, each.id))


def _step(direction: str, counterpart: str, at: datetime, message: Outgoing | Incoming) -> Step:
    tries = message.attempts.all() if isinstance(message, Outgoing) else ()
    return Step(
        at,
        direction,
        counterpart,
        message.pk,
        message.message_id,
        message.kind,
        message.stream.key,
        message.seq,
        message.state,
        message.code,
        message.problem,
        message.ended_at,
        [(one.at, one.status, one.code, one.said) for one in tries],
    )

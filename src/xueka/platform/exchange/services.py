"""Posting: a message for a counterpart, written in the transaction of what it is about.

Sending is the work of `sending`. A message has its number in its key's order at once: the row of the key
stays locked until the caller's transaction ends, so numbers have no gap and follow the order of commits.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from xueka.kernel import clock
from xueka.platform.crypto.fields import seal_many
from xueka.platform.exchange.models import OUT, Outgoing, Stream
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor

#: A content above this many bytes travels as a file beside its message.
BY_FILE = 32 * 1024
_POSTER = Actor.system("exchange")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be told. `key`: the card or student whose order is kept (`card:…`, `student:…`).

    `once`: the same again, for the same key and counterpart, is the same message.
    """

    key: str
    kind: str
    payload: Mapping[str, Any]
    once: str = ""
    occurred_at: datetime | None = None


def post(
    counterpart: str,
    kind: str,
    key: str,
    payload: Mapping[str, Any],
    *,
    once: str = "",
    occurred_at: datetime | None = None,
) -> bool:
    """Put one message into the outbox, in the caller's transaction; whether it is new."""
    return bool(post_many(counterpart, [Letter(key, kind, payload, once, occurred_at)]))


def post_many(counterpart: str, letters: Sequence[Letter]) -> int:
    """Any number of messages, in this order for each key; returns how many are new.

    Two transactions that post for the same keys wait for one another, in the order of the keys, so never
    crosswise.
    """
    if not letters:
        return 0
    streams = _streams(counterpart, sorted({each.key for each in letters}))
    ids = [_message_id(counterpart, each) for each in letters]
    known = set(Outgoing.objects.filter(message_id__in=ids).values_list("message_id", flat=True))
    now = clock.now()
    rows: list[tuple[str, Letter, int, int]] = []
    for message_id, letter in zip(ids, letters, strict=True):
        if message_id in known:
            continue
        known.add(message_id)
        stream = streams[letter.key]
        stream[1] += 1
        rows.append((message_id, letter, stream[0], stream[1]))
    if not rows:
        return 0
    contents = [_canonical(letter.payload) for _, letter, _, _ in rows]
    stored = [
        files.store(_POSTER, f"{message_id}.json", "application/json", content, personal=True)
        if len(content) > BY_FILE
        else None
        for (message_id, *_), content in zip(rows, contents, strict=True)
    ]
    envelopes = iter(
        seal_many([content for content, file in zip(contents, stored, strict=True) if file is None])
    )
    Outgoing.objects.bulk_create(
        Outgoing(
            message_id=message_id,
            stream_id=stream,
            seq=seq,
            kind=letter.kind,
            envelope=b"" if file else next(envelopes),
            file=file,
            occurred_at=letter.occurred_at or now,
            created_at=now,
        )
        for (message_id, letter, stream, seq), file in zip(rows, stored, strict=True)
    )
    touched = {letter.key for _, letter, _, _ in rows}
    with connection.cursor() as cursor:
        cursor.execute(  # an idle key is due now; one under way keeps its time
            "UPDATE exchange_stream s SET last_seq = t.last,"
            " next_at = CASE WHEN s.done_seq = s.last_seq THEN %s ELSE s.next_at END,"
            " attempts = CASE WHEN s.done_seq = s.last_seq THEN 0 ELSE s.attempts END"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS t (id, last) WHERE s.id = t.id",
            [now, [streams[key][0] for key in touched], [streams[key][1] for key in touched]],
        )
    return len(rows)


def _streams(counterpart: str, keys: list[str]) -> dict[str, list[int]]:
    """The rows of these keys by key, as [id, last number given], locked in the order of the keys."""
    Stream.objects.bulk_create(
        (Stream(direction=OUT, counterpart=counterpart, key=key, next_at=clock.now()) for key in keys),
        ignore_conflicts=True,
    )
    found = Stream.objects.filter(direction=OUT, counterpart=counterpart, key__in=keys).order_by("key")
    return {each.key: [each.id, each.last_seq] for each in found.select_for_update()}


def _message_id(counterpart: str, letter: Letter) -> str:
    if not letter.once:
        return f"msg_{secrets.token_hex(16)}"
    named = "\n".join((counterpart, letter.key, letter.once)).encode()
    return f"msg_{hashlib.sha256(named).hexdigest()[:40]}"


def _canonical(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), default=str).encode()

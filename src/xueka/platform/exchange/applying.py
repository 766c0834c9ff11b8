"""Applying what came: each key in its order, by the handler that a context registers for its kind.

`settings.EXCHANGE_HANDLERS` names them: `counterpart/kind` or `*/kind` to the path of a function that takes
an actor and a `Message`. It works in our transaction. What it refuses is a dead letter with its code and
words, and holds back the later ones of its key; a kind without a handler likewise. Nothing is lost, nothing
applied twice.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.kernel.foreign import json_of
from xueka.platform.crypto.fields import open_bytes
from xueka.platform.exchange import codes
from xueka.platform.exchange.models import APPLIED, DEAD, Incoming, IncomingFile, Stream
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.exchange")

MOST_TRIES = 10  # after so many mistakes of our own somebody has to look
VOID = "void"


@dataclass(frozen=True, slots=True)
class Message:
    """What a handler gets. `data` is the content, from the message itself or from its file."""

    counterpart: str
    message_id: str
    kind: str
    key: str
    seq: int
    occurred_at: datetime | None
    data: Any


def apply_due(most: int = 200) -> int:
    """Apply what is next of each key, one transaction each; returns how many were applied or put aside."""
    done = 0
    while done < most and _apply_next():
        done += 1
    return done


def _apply_next() -> bool:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, [clock.now()])
            found = cursor.fetchone()
        if found is None:
            return False
        message = Incoming.objects.select_related("stream").get(id=found[0])
        actor = Actor.system(f"exchange:{message.counterpart}"[:40])
        try:
            with transaction.atomic():
                _handle(actor, message)
        except XuekaError as error:
            _dead(message, error.code, error.message)
        except Exception as error:
            log.exception("exchange.handler", incoming=message.pk, kind=message.kind)
            _failed(message, type(error).__name__)
        else:
            _ended(message, APPLIED)
            Stream.objects.filter(id=message.stream_id).update(done_seq=message.seq, attempts=0)
    return True


#: The next message of a key that has come, whose key nobody else is at.
_NEXT = """
    SELECT i.id FROM exchange_stream s
      JOIN exchange_incoming i ON i.stream_id = s.id AND i.seq = s.done_seq + 1 AND i.state = 'waiting'
     WHERE s.direction = 'in' AND NOT s.held AND s.last_seq > s.done_seq AND s.next_at <= %s
     ORDER BY s.next_at, s.id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED"""


def _handle(actor: Actor, message: Incoming) -> None:
    if message.kind == VOID:
        return
    handlers = settings.EXCHANGE_HANDLERS
    path = handlers.get(f"{message.counterpart}/{message.kind}") or handlers.get(f"*/{message.kind}")
    if path is None:
        raise Refused(codes.KIND_UNKNOWN, codes.words(codes.KIND_UNKNOWN), found=message.kind)
    import_string(path)(actor, read(message))


def read(message: Incoming) -> Message:
    """A message as its handler gets it. Raises Refused `FILE_MISSING`."""
    body = json.loads(open_bytes(bytes(message.raw)))
    data = body.get("data")
    if isinstance(body.get("file"), dict):
        digest = str(body["file"].get("sha256"))
        kept = IncomingFile.objects.filter(counterpart=message.counterpart, digest=digest).first()
        if kept is None:
            raise Refused(codes.FILE_MISSING, codes.words(codes.FILE_MISSING), found=digest[:16])
        Incoming.objects.filter(id=message.id).update(file=kept.file_id)
        try:
            data = json_of(files.read(kept.file))
        except ValueError:
            raise Refused(codes.BODY_WRONG, "文件的内容不是 JSON。", where="file") from None
    return Message(
        message.counterpart,
        message.message_id,
        message.kind,
        message.stream.key,
        message.seq,
        message.occurred_at,
        data,
    )


def _dead(message: Incoming, code: str, problem: str) -> None:
    _ended(message, DEAD, code, problem)
    Stream.objects.filter(id=message.stream_id).update(held=True)
    log.warning("exchange.incoming_dead", incoming=message.pk, code=code)


def _failed(message: Incoming, problem: str) -> None:
    """Our own mistake, or the database's: later again, and after some tries a person's affair."""
    if message.tries + 1 >= MOST_TRIES:
        _dead(message, codes.HANDLER_FAILED, codes.words(codes.HANDLER_FAILED))
        return
    Incoming.objects.filter(id=message.id).update(
        tries=message.tries + 1, code=codes.HANDLER_FAILED, problem=problem[:200]
    )
    wait = timedelta(seconds=min(2**message.tries, 600))
    Stream.objects.filter(id=message.stream_id).update(next_at=clock.now() + wait)


def _ended(message: Incoming, state: str, code: str = "", problem: str = "") -> None:
    Incoming.objects.filter(id=message.id).update(
        state=state,
        ended_at=clock.now(),
        tries=message.tries + 1,
        code=code[:40],
        problem=codes.said(problem),
    )

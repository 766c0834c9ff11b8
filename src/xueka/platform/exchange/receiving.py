"""What comes from a counterpart: verified, kept byte for byte, known again by its id. Applying is
`applying`'s.

An acceptance means *kept*. Nothing is refused for its content: what cannot be applied is a dead letter of
ours.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict
from xueka.kernel.foreign import json_of
from xueka.platform.crypto.fields import seal_bytes
from xueka.platform.exchange.counterparts import Counterpart
from xueka.platform.exchange.models import IN, Incoming, IncomingFile, Stream
from xueka.platform.exchange.signatures import verify
from xueka.platform.exchange.wire import VOID
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor

LARGEST_FILE = 16 * 1024 * 1024
_KEPT = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
_KEY = re.compile(r"[A-Za-z0-9:_.\-]{1,80}", re.ASCII)
_KIND = re.compile(r"[a-z0-9_.\-]{1,40}", re.ASCII)
_YEARS = range(2000, 2100)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kept:
    """`again`: it was known already. `expected`: the number of its key that is applied next."""

    message_id: str
    again: bool
    expected: int


def authenticate(partner: Counterpart, headers: Mapping[str, str], raw: bytes) -> str:
    """The message id. Raises Refused (`signatures.verify`)."""
    return verify(headers, raw, partner.receiving, clock.now().timestamp())


def receive(partner: Counterpart, headers: Mapping[str, str], raw: bytes) -> Kept:
    """Keep one message, in the caller's transaction.

    A sender that never heard of our acceptance may give up what we have: its number is passed, as it wants.
    Raises Refused of `authenticate`, BadInput `BODY_WRONG`, Conflict `ID_REUSED`, `SEQUENCE_REUSED`.
    """
    message_id = authenticate(partner, headers, raw)
    told = _read(raw, message_id)
    digest = hashlib.sha256(raw).digest()
    Stream.objects.bulk_create(
        [Stream(direction=IN, counterpart=partner.code, key=told.key, next_at=clock.now())],
        ignore_conflicts=True,
    )
    stream = Stream.objects.select_for_update().get(direction=IN, counterpart=partner.code, key=told.key)
    known = Incoming.objects.filter(counterpart=partner.code, message_id=message_id).first()
    if known is not None:
        given_up = told.kind == VOID and (known.stream_id, known.seq) == (stream.id, told.seq)
        if bytes(known.digest) != digest and not given_up:
            raise Conflict(
                "ID_REUSED", "同一编号的消息，内容与先前不同。", found=message_id, action="请换一个编号。"
            )
        Incoming.objects.filter(id=known.id).update(times=F("times") + 1)
        return Kept(message_id, True, stream.done_seq + 1)
    seq = told.seq or stream.last_seq + 1
    if seq <= stream.done_seq or Incoming.objects.filter(stream=stream, seq=seq).exists():
        raise Conflict(
            "SEQUENCE_REUSED",
            "这个对象的这个序号已用于另一条消息。",
            where="sequence",
            found=str(seq),
            expected=str(stream.last_seq + 1),
            action="请核对发送方的序号；重发时编号与序号都不变。",
        )
    Incoming.objects.create(
        counterpart=partner.code,
        message_id=message_id,
        stream=stream,
        seq=seq,
        kind=told.kind,
        digest=digest,
        headers={name: headers.get(name, "")[:2000] for name in _KEPT},
        raw=seal_bytes(raw),
        occurred_at=told.occurred_at,
        received_at=clock.now(),
    )
    Stream.objects.filter(id=stream.id).update(last_seq=max(stream.last_seq, seq), next_at=clock.now())
    return Kept(message_id, False, stream.done_seq + 1)


def receive_file(partner: Counterpart, digest: str, headers: Mapping[str, str], raw: bytes) -> bool:
    """Keep a file under the SHA-256 of its bytes; whether it is new. Raises BadInput `FILE_DIGEST`."""
    authenticate(partner, headers, raw)
    found = hashlib.sha256(raw).hexdigest()
    if not _DIGEST.fullmatch(digest) or found != digest:
        raise BadInput(
            "FILE_DIGEST",
            "文件与地址中的摘要不符。",
            found=found,
            expected=digest[:64],
            action="请重新上传。",
        )
    if len(raw) > LARGEST_FILE:
        raise BadInput("FILE_TOO_LARGE", "文件太大。", expected=f"不超过 {LARGEST_FILE >> 20} MB")
    known = IncomingFile.objects.filter(counterpart=partner.code, digest=digest)
    if known.update(received_at=clock.now()):  # a message that names it comes next
        return False
    kept = files.store(
        Actor.system("exchange"), f"{partner.code}-{digest[:16]}", "application/json", raw, personal=True
    )
    IncomingFile.objects.create(counterpart=partner.code, digest=digest, file=kept, received_at=clock.now())
    return True


@dataclass(frozen=True, slots=True)
class _Told:
    kind: str
    key: str
    seq: int
    occurred_at: datetime | None


def _read(raw: bytes, message_id: str) -> _Told:
    """The head of a message; its `data` is the handler's affair."""
    try:
        body: Any = json_of(raw.decode("utf-8"))
    except ValueError:
        raise _wrong("整个消息", "", "JSON 对象") from None
    if not isinstance(body, dict):
        raise _wrong("整个消息", type(body).__name__, "JSON 对象")
    if body.get("id") != message_id:
        raise _wrong("id", str(body.get("id"))[:40], "与 webhook-id 相同")
    kind, key, seq = body.get("kind"), body.get("key"), body.get("sequence", 0)
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise _wrong("kind", str(kind)[:40], "小写字母、数字和点")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _wrong("key", "", "字母、数字、冒号，至多 80 位")
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**62:
        raise _wrong("sequence", str(seq)[:20], "从 1 起的整数")
    return _Told(kind, key, seq, _moment(body.get("occurred_at")))


def _moment(text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        made = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        made = None
    if made is None or made.tzinfo is None or made.year not in _YEARS:
        raise _wrong("occurred_at", str(text)[:40], "带时区的 ISO 8601 时间，2000 至 2099 年")
    return made


def _wrong(where: str, found: str, expected: str) -> BadInput:
    return BadInput(
        "BODY_WRONG",
        "消息的格式不对。",
        where=where,
        found=found or None,
        expected=expected,
        action="请对照数据交换接口说明第 4 节。",
    )

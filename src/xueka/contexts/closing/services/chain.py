"""The chain of signed closes, checked from the first to the last."""

import json
from dataclasses import dataclass

from xueka.contexts.closing.adapters.signing import public_key
from xueka.contexts.closing.models import Close
from xueka.contexts.closing.queries import closes
from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import sm3
from xueka.platform.files import services as files
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """`problems` name the close and what is wrong with it, at most twenty."""

    closes: int
    ok: bool
    fingerprint: str
    problems: list[str]


def check_chain(scope: Scope) -> ChainCheck:
    """Digests, signatures, links, and whether the rows say what was signed. The city's affair."""
    problems: list[str] = []
    before, count = "", 0
    found = closes(scope).filter(seq__isnull=False).order_by("seq").select_related("document")
    for count, each in enumerate(found, start=1):
        problems += [f"{each.number}：{said}" for said in _wrong(each, count, before)]
        before = each.digest
    return ChainCheck(count, not problems, public_key().fingerprint, problems[:20])


def _wrong(close: Close, place: int, before: str) -> list[str]:
    assert close.document is not None
    try:
        raw = files.read(close.document)
    except XuekaError as error:
        return [error.message]
    said = json.loads(raw)
    parts = sorted(
        (each.channel, each.settlement, each.gross_fen, each.to_remit_fen, each.confirmed_fen)
        for each in close.parts.all()
    )
    told = sorted(
        (each["channel"], each["settlement"], each["gross_fen"], each["to_remit_fen"], each["confirmed_fen"])
        for each in said["channels"]
    )
    head = (said["number"], said["monday"], said["signed_by"], said["prepared_by"])
    row = (close.number, close.monday.isoformat(), close.signed_by, close.prepared_by)
    checks = [
        (close.seq == place, "序号不连续"),
        (close.previous == before == said["previous"], "与上一周结不相接"),
        (sm3.hexdigest(raw) == close.digest, "摘要不符"),
        (close.fingerprint == public_key().fingerprint, "不是本系统的签名密钥"),
        (public_key().verify(bytes.fromhex(close.signature), raw), "签名不符"),
        (head == row and parts == told and said["seq"] == close.seq, "登记的内容与签名文件不符"),
    ]
    return [text for good, text in checks if not good]

"""The chain of signed closes, checked from the first to the last."""

import json
from dataclasses import dataclass
from typing import Any

from xueka.contexts.closing.adapters.signing import public_key
from xueka.contexts.closing.models import Close, Line
from xueka.contexts.closing.queries import closes
from xueka.kernel.errors import XuekaError
from xueka.platform.crypto import sm3
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.files import services as files
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """`problems` name the close and what is wrong with it, at most twenty.

    `public_pem` is what it was checked by: the city's key, or that of the first document where the key file
    is lost; empty before any.
    """

    closes: int
    ok: bool
    fingerprint: str
    public_pem: str
    problems: list[str]


def check_chain(scope: Scope) -> ChainCheck:
    """Digests, signatures, links, and whether the rows say what was signed. The city's affair.

    Each is verified by the public key in its own document; all by the same one, and by ours while we have it.
    """
    problems: list[str] = []
    before, count, key = "", 0, public_key()
    found = closes(scope).filter(seq__isnull=False).order_by("seq").select_related("document")
    for count, each in enumerate(found, start=1):
        try:
            raw = files.read(each.document) if each.document else b""
            said = json.loads(raw)
            if key is None:
                key = PublicKey.from_pem(said["public_key"].encode())
            wrong = _wrong(each, count, before, raw, said, key)
        except XuekaError as error:
            wrong = [error.message]
        except (ValueError, KeyError, TypeError, AttributeError):
            wrong = ["签名文件读不出来"]
        problems += [f"{each.number}：{text}" for text in wrong]
        before = each.digest
    return ChainCheck(
        count,
        not problems,
        key.fingerprint if key else "",
        key.to_pem().decode("ascii") if key else "",
        problems[:20],
    )


def _wrong(
    close: Close, place: int, before: str, raw: bytes, said: dict[str, Any], key: PublicKey
) -> list[str]:
    parts = close.parts.values_list("channel", "settlement", "gross_fen", "to_remit_fen", "confirmed_fen")
    told = [
        (each["channel"], each["settlement"], each["gross_fen"], each["to_remit_fen"], each["confirmed_fen"])
        for each in said["channels"]
    ]
    lines = Line.objects.filter(part__close=close).values_list(
        "payment__out_trade_no",
        "payment__order__number",
        "channel",
        "settlement",
        "gross_fen",
        "refunded_fen",
    )
    same_lines = sorted(lines) == sorted(tuple(each) for each in said["payments"])
    names = ("number", "signed_by", "prepared_by", "seq", "to_remit_fen", "confirmed_fen")
    head = all(said[name] == getattr(close, name) for name in names)
    days = (said["monday"], said["sunday"]) == (close.monday.isoformat(), close.sunday.isoformat())
    own = said.get("public_key", key.to_pem().decode("ascii"))
    ours = close.fingerprint == key.fingerprint == PublicKey.from_pem(own.encode()).fingerprint
    checks = [
        (close.seq == place, "序号不连续"),
        (close.previous == before == said["previous"], "与上一周结不相接"),
        (sm3.hexdigest(raw) == close.digest, "摘要不符"),
        (ours, "不是本系统的签名密钥"),
        (key.verify(bytes.fromhex(close.signature), raw), "签名不符"),
        (head and days and same_lines and sorted(parts) == sorted(told), "登记的内容与签名文件不符"),
    ]
    return [text for good, text in checks if not good]

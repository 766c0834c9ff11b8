"""Signatures of the exchange (§3): HMAC-SHA256 by the standard library, SM2 by the OpenSSL command."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path

from xueka.sandbox.common import openssl

WINDOW = 300
MOST = 8
_ID = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)


class Wrong(Exception):
    """`code` of the refusal."""

    def __init__(self, code: str, title: str) -> None:
        super().__init__(title)
        self.code, self.title = code, title


def sign(secret: str, name: str, stamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{name}.{stamp}.".encode("ascii") + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode("ascii")


def check(
    header: Callable[[str], str], body: bytes, secrets: list[str], sm2: Path | None, moments: list[float]
) -> str:
    """The id of a request signed just now, by one of `moments`. Raises Wrong."""
    name, stamp, given = (header(f"webhook-{part}") for part in ("id", "timestamp", "signature"))
    if not _ID.fullmatch(name) or not stamp.isascii() or not stamp.isdecimal() or not given:
        raise Wrong("SIGNATURE_MISSING", "缺少签名")
    if not any(abs(moment - int(stamp)) <= WINDOW for moment in moments):
        raise Wrong("TIMESTAMP_WRONG", "时间相差太多")
    for one in given.split(" ")[:MOST]:
        version, _, text = one.partition(",")
        if version == "v1" and any(
            hmac.compare_digest(sign(each, name, int(stamp), body), one) for each in secrets
        ):
            return name
        if version == "v1sm2" and sm2 is not None and _sm2(sm2, name, stamp, body, text):
            return name
    raise Wrong("SIGNATURE_WRONG", "签名不对")


def _sm2(key: Path, name: str, stamp: str, body: bytes, text: str) -> bool:
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return openssl.verify(key, f"{name}.{stamp}.".encode("ascii") + body, signature)

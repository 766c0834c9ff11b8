"""Signatures in the manner of Standard Webhooks, and their SM2 sister (docs/interfaces/exchange.md §3).

Signed are `id.timestamp.body`. The header holds any number of `version,base64`, parted by spaces: while keys
change hands, a message carries one under the old and one under the new. Versions: `v1` HMAC-SHA256 under a
secret `whsec_…`; `v1sm2` SM2 over SM3 with the user id of GM/T 0009, in DER. Whoever verifies takes the
versions it knows and passes over the others.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xueka.kernel.errors import BadInput, Refused
from xueka.platform.crypto.sm2 import PrivateKey, PublicKey

PREFIX = "whsec_"
V1, SM2 = "v1", "v1sm2"
TOLERANCE = 300  # seconds either way
_ID = re.compile(r"[A-Za-z0-9_\-]{4,64}", re.ASCII)
_TIME = re.compile(r"\d{1,12}", re.ASCII)
MOST = 8  # signatures looked at in one header


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets and SM2 keys of one direction; all that are held are in use."""

    secrets: Sequence[bytes] = field(default=(), repr=False)
    private: Sequence[PrivateKey] = field(default=(), repr=False)
    public: Sequence[PublicKey] = ()


def secret(text: str) -> bytes:
    """The key behind `whsec_…`, 24 to 64 bytes. Raises BadInput `EXCHANGE_SECRET`."""
    try:
        made = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        made = b""
    if not text.startswith(PREFIX) or not 24 <= len(made) <= 64:
        raise BadInput(
            "EXCHANGE_SECRET",
            "数据交换的密钥不对。",
            expected=f"{PREFIX} 加 24 至 64 字节的 Base64",
            action="请对照对方交来的参数文件。",
        )
    return made


def sign(message_id: str, timestamp: int, body: bytes, keys: Keys) -> str:
    """The header `webhook-signature`."""
    content = _content(message_id, str(timestamp), body)
    made = [f"{V1},{_b64(_mac(each, content))}" for each in keys.secrets]
    made += [f"{SM2},{_b64(each.sign(content))}" for each in keys.private]
    return " ".join(made)


def verify(headers: Mapping[str, str], body: bytes, keys: Keys, now: float) -> str:
    """The message id of a request that a holder of the keys has just signed.

    Raises Refused `SIGNATURE_MISSING`, `TIMESTAMP_WRONG`, `SIGNATURE_WRONG`; each is answered 401.
    """
    message_id, timestamp, given = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    if not _ID.fullmatch(message_id) or not _TIME.fullmatch(timestamp) or not given:
        raise Refused(
            "SIGNATURE_MISSING",
            "缺少签名，或签名的标头不对。",
            expected="webhook-id、webhook-timestamp、webhook-signature",
            action="请对照数据交换接口说明第 3 节。",
        )
    if abs(now - int(timestamp)) > TOLERANCE:
        raise Refused(
            "TIMESTAMP_WRONG",
            "签名的时间与本系统相差太多。",
            found=timestamp,
            expected=f"与 {int(now)} 相差不超过 {TOLERANCE} 秒",
            action="请校准时间；重发时请用新的时间重新签名。",
        )
    content = _content(message_id, timestamp, body)
    if not any(_right(each, content, keys) for each in given.split(" ")[:MOST]):
        raise Refused("SIGNATURE_WRONG", "签名不对。", action="请核对密钥，并按收到的原始字节计算。")
    return message_id


def _right(one: str, content: bytes, keys: Keys) -> bool:
    version, _, text = one.partition(",")
    try:
        given = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    if version == V1:
        return any(hmac.compare_digest(_mac(each, content), given) for each in keys.secrets)
    return version == SM2 and any(each.verify(given, content) for each in keys.public)


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return b".".join((message_id.encode("ascii"), timestamp.encode("ascii"), body))


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")

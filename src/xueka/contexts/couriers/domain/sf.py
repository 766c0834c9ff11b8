"""What SF's open platform says, without the wire: signature, operation codes, half-hidden answers.

Source of the facts: docs/interfaces/couriers.md §2.
"""

import base64
import hashlib
from typing import Any

from xueka.contexts.couriers.domain import status as s
from xueka.kernel.foreign import json_of

#: What Java's URLEncoder leaves as it is. Python's quote_plus differs: it encodes `*` and leaves `~`.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*_")

_CODES = {
    "50": s.PICKED_UP,
    "54": s.PICKED_UP,
    "30": s.IN_TRANSIT,
    "36": s.IN_TRANSIT,
    "3036": s.IN_TRANSIT,
    "31": s.IN_TRANSIT,
    "3137": s.IN_TRANSIT,
    "130": s.IN_TRANSIT,
    "44": s.DELIVERING,
    "70": s.ATTEMPT_FAILED,
    "33": s.PROBLEM,
    "80": s.SIGNED,
    "99": s.RETURNING,
    "631": s.RETURNING,
    "648": s.RETURNING,
    "8000": s.NOTED,
}
_LOCKER_WORDS = ("自助柜", "丰巢", "快递柜", "驿站", "代收点")
_BACK_WORDS = ("退件", "已退回")
_OUT_WORDS = ("取出", "取走", "已取件")


def java_encoded(text: str) -> str:
    """As `java.net.URLEncoder.encode(text, "UTF-8")`: `*` stays, `~` is encoded, a space is `+`.

    A lone surrogate becomes `?` as Java does it.
    """
    return "".join(_encoded(sign) for sign in text)


def _encoded(sign: str) -> str:
    if sign in _PLAIN:
        return sign
    if sign == " ":
        return "+"
    if "\ud800" <= sign <= "\udfff":
        return "%3F"
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8"))


def digest(message: str, timestamp: str, checkword: str) -> str:
    """`msgDigest` of a call: base64(MD5(URL-encoded message + timestamp + checkword))."""
    text = java_encoded(message + timestamp + checkword)
    return base64.b64encode(hashlib.md5(text.encode("ascii"), usedforsecurity=False).digest()).decode()


def result(answer: Any) -> dict[str, Any] | None:
    """`apiResultData` of an answer as an object: it comes as one, or as JSON text inside the JSON.

    None for what is neither; the caller has looked at `apiResultCode` before.
    """
    found = answer.get("apiResultData") if isinstance(answer, dict) else None
    if isinstance(found, str):
        try:
            found = json_of(found)
        except ValueError:
            return None
    return found if isinstance(found, dict) else None


def status_of(code: str, remark: str = "", first: str = "", second: str = "") -> str:
    """The neutral status of one entry of a route. A code that we have never seen is NOTED and moves nothing.

    80 is "delivered", but to a locker it is not collected (`firstStatus` 4, secondary 401, or the words say
    so); what is taken out of the locker is. Signed as something that went back, it went back.
    """
    found = _CODES.get(code, s.NOTED)
    if found == s.SIGNED and (first == "4" or second == "401" or _says(remark, _LOCKER_WORDS)):
        return s.OUT_OF_LOCKER if _says(remark, _OUT_WORDS) and second != "401" else s.IN_LOCKER
    if found == s.SIGNED and _says(remark, _BACK_WORDS):
        return s.RETURNED
    if found == s.RETURNING and "转寄" in remark and "退" not in remark:
        return s.FORWARDED
    if found in (s.ATTEMPT_FAILED, s.PROBLEM) and "拒" in remark:
        return s.REFUSED
    return found


def _says(remark: str, words: tuple[str, ...]) -> bool:
    return any(word in remark for word in words)

"""What kuaidi100 says on the wire, without the wire (docs/interfaces/couriers.md §3)."""

import hashlib

from xueka.contexts.couriers.domain import status as s

#: `state` of a push, whole or by its first digit: later versions have finer ones (401, 501 …).
_STATES = {
    "0": s.IN_TRANSIT,
    "1": s.PICKED_UP,
    "2": s.PROBLEM,
    "3": s.SIGNED,
    "4": s.RETURNED,
    "5": s.DELIVERING,
    "6": s.RETURNING,
    "7": s.FORWARDED,
    "8": s.IN_TRANSIT,
    "14": s.REFUSED,
    "501": s.IN_LOCKER,
    "304": s.SIGNED,
}

#: What we call a courier → its code there. Others are followed by nobody.
COMPANIES = {
    "顺丰速运": "shunfeng",
    "EMS": "ems",
    "中国邮政": "youzhengguonei",
    "京东物流": "jd",
    "中通快递": "zhongtong",
    "圆通速递": "yuantong",
    "韵达快递": "yunda",
    "申通快递": "shentong",
}
#: These are followed only with the receiver's phone.
NEEDS_PHONE = frozenset({"shunfeng"})


def sign(param: str, salt: str) -> str:
    """The sign of a push: MD5 of param and salt, upper-case hexadecimal."""
    return hashlib.md5((param + salt).encode("utf-8"), usedforsecurity=False).hexdigest().upper()


def status_of(state: str) -> str:
    """The neutral status; an unknown one moves nothing."""
    return _STATES.get(state) or s.NOTED


def company_of(carrier: str) -> str:
    """The code of a courier by the name that was typed; empty for one that is unknown."""
    name = carrier.strip().upper()
    for known, code in COMPANIES.items():
        if name == known.upper() or (len(name) >= 2 and known.upper().startswith(name)):
            return code
    return ""


def is_stale_abort(message: str) -> bool:
    """Whether an abort says that nothing was known for three days or moved for sixty: subscribe again."""
    return "3天" in message or "60天" in message or "三天" in message

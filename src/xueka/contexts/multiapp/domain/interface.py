"""The words of the partner interface: scopes of a credential, answers about a card, limits."""

import re
from datetime import date

from xueka.kernel.errors import BadInput

CHECK, LIST, REPORT = "partner:card:check", "partner:hot_list:read", "partner:hot_list:report"
SCOPES = {CHECK: "查卡是否有效", LIST: "下载黑名单", REPORT: "回报黑名单版本"}

VALID, LOST, CANCELLED, EXPIRED, UNKNOWN = "valid", "lost", "cancelled", "expired", "unknown"
#: State of a card → what a partner is told. Whatever is not handed out yet is as unknown as a stranger's.
ANSWERS = {
    "active": VALID,
    "lost": LOST,
    "cancelled": CANCELLED,
    "void": CANCELLED,
    "destroyed": CANCELLED,
    "failed": CANCELLED,
}
AT_ONCE = 500
PER_MINUTE = 600
FULL_PER_MINUTE = 6
WRONG_PER_MINUTE = 20
"""Failed log-ins that one address may make within a minute."""
OVERLAP_DAYS = 14
LIFE_DAYS = 730

_NUMBER = re.compile(r"[0-9A-Za-z]{6,32}", re.ASCII)
_KEY = re.compile(r"[0-9A-Za-z_-]{8,64}", re.ASCII)


def check_number(text: str) -> str:
    """A card number or chip UID as readers give it. Raises BadInput `CARD_NUMBER`."""
    if not _NUMBER.fullmatch(text):
        raise BadInput(
            "CARD_NUMBER",
            "卡号或芯片号的格式不对。",
            found=text[:40],
            expected="6 至 32 位字母或数字",
            action="请核对后再查。",
        )
    return text


def check_idempotency_key(text: str) -> str:
    """Raises BadInput `IDEMPOTENCY_KEY`."""
    if not _KEY.fullmatch(text):
        raise BadInput(
            "IDEMPOTENCY_KEY",
            "请求头 Idempotency-Key 缺失或格式不对。",
            where="Idempotency-Key",
            found=text[:64],
            expected="8 至 64 位字母、数字、下划线或连字符；每个新请求用新的，重发时用原来的",
        )
    return text


def answer(state: str, valid_until: date | None, today: date) -> str:
    """What a partner is told of a card within its scope."""
    said = ANSWERS.get(state, UNKNOWN)
    return EXPIRED if said == VALID and valid_until is not None and valid_until < today else said

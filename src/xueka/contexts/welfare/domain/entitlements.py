"""An entitlement as the platform says it, and as it is compared (docs/interfaces/welfare.md §3, §6)."""

from dataclasses import dataclass
from datetime import date, datetime

from xueka.contexts.welfare.domain.transitions import ACTIVE, ENDED, ENTITLEMENT, SUSPENDED
from xueka.kernel.contents import CARD, NUMBER, Content, wrong

KIND = r"[a-z][a-z0-9_-]{0,31}"
LAST = 10**12  # of a version

VALID, COMING, OVER = "valid", "coming", "over"
STANDINGS = {VALID: "有效", COMING: "未开始", OVER: "已过期", SUSPENDED: "暂停", ENDED: "已终止"}

#: Names of kinds until the platform gives its own, or `XUEKA_WELFARE_KINDS` gives others.
NAMES = {
    "transit": "公共交通优惠",
    "museum": "博物馆",
    "library": "图书馆",
    "park": "公园年票",
    "sports": "体育场馆",
}


@dataclass(frozen=True, slots=True)
class Word:
    """What was said of one entitlement. `version` counts what the platform says of this one."""

    card: str
    beijing_tong_number: str
    kind: str
    state: str
    valid_from: date
    valid_until: date | None
    reason: str
    version: int
    as_of: datetime


def read(data: object) -> Word:
    """Raises BadInput `CONTENT_WRONG`."""
    told = Content(data)
    state = told.word("state", "|".join(ENTITLEMENT.state_codes), "、".join(ENTITLEMENT.state_codes))
    begins = told.day("valid_from")
    ends = told.day("valid_until", optional=True)
    if begins is None or (ends is not None and ends < begins):
        raise wrong("valid_until", "不早于 valid_from 的日期")
    return Word(
        told.word("card", CARD, "卡号"),
        told.word("beijing_tong_number", NUMBER, "北京通号"),
        told.word("kind", KIND, "权益种类的代码"),
        state,
        begins,
        ends,
        told.text("reason", 200, optional=state == ACTIVE),
        told.whole("version", 1, LAST),
        told.moment("as_of"),
    )


def named(text: str) -> dict[str, str]:
    """`code=name;code=name` as code → name; what is no pair is passed over."""
    pairs = [each.partition("=") for each in text.split(";")]
    return {code.strip(): name.strip() for code, _, name in pairs if code.strip() and name.strip()}


def standing(state: str, begins: date, ends: date | None, today: date) -> str:
    """What it is worth today."""
    if state != ACTIVE:
        return state
    if ends is not None and ends < today:
        return OVER
    return COMING if today < begins else VALID


def key_of(card: str, kind: str) -> str:
    """The key under which it is compared."""
    return f"{card}/{kind}"


def record_of(card: str, kind: str, state: str, begins: date, ends: date | None, version: int) -> str:
    """The text that is compared, to the byte."""
    return "|".join([card, kind, state, f"{begins}", f"{ends or ''}", f"{version}"])

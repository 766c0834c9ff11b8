"""Reasons, ways of delivery, the age of consent, and the promise of seven working days."""

from dataclasses import dataclass
from datetime import date, timedelta

from xueka.contexts.replacements.domain.transitions import DRAFT, MAKING, PAID, TO_POST, UNPAID
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.identifiers import clean_phone, phone_problem
from xueka.kernel.text import normalise

#: Why a card is replaced: (what it is called, in the family's words).
REASONS = {
    "lost": ("遗失补卡", "卡丢了"),
    "damaged": ("损坏换卡", "卡坏了，刷不了或看不清"),
    "data_change": ("信息变更换卡", "姓名等卡面信息变了"),
    "stage_change": ("升学段换卡", "升入初中或高中"),
    "transfer": ("转学换卡", "转到了别的学校"),
}
SCHOOL, DISTRICT, HOME = "school", "district", "home"
DELIVERIES = {SCHOOL: "送到学校", DISTRICT: "到区里领取", HOME: "邮寄到家"}

#: Who took a posted card out of the carrier's hands. In a locker or at a pick-up point it has not arrived.
SIGNERS = {"family": "本人或家人", "picked_up": "已从快递柜或驿站取走"}

CONSENT_AGE = 14
PROMISED_WORKING_DAYS = 7
#: What nobody went on with is over after so long.
LAPSES_AFTER = timedelta(days=30)
#: So long after it arrived, a family that asks where its card is sees the way that it went.
FOLLOWED_FOR = timedelta(days=30)
#: How many working days before the promised day a replacement is watched.
WATCHED_BEFORE = 2


def may_go(state: str, to_counter: bool) -> tuple[str, ...]:
    """The ways of delivery still open: all until the card is made, at a counter two until it leaves."""
    if state in (DRAFT, UNPAID) or (state == PAID and not to_counter):
        return tuple(DELIVERIES)
    return (DISTRICT, HOME) if to_counter and state in (PAID, MAKING, TO_POST) else ()


def needs_consent(born: date, today: date) -> bool:
    """Whether the child is under 14 on this day (个人信息保护法 §31); the birthday itself is no longer."""
    return (today.year - born.year, today.month, today.day) < (CONSENT_AGE, born.month, born.day)


@dataclass(frozen=True, slots=True)
class Promise:
    """The last day; `provisional` where next year's notice was not out, and weekends alone were counted."""

    day: date
    provisional: bool


def promise(start: date, calendar: Calendar, count: int = PROMISED_WORKING_DAYS) -> Promise:
    """The `count`-th working day after `start`, which is day 0 (contract 1.5, from the channel's success)."""
    try:
        return Promise(calendar.add_working_days(start, count), False)
    except XuekaError as error:
        if error.code != "CALENDAR_YEAR_MISSING":
            raise
    day = start
    while count:
        day += timedelta(days=1)
        known = day.year in calendar.years
        count -= calendar.is_working_day(day) if known else day.weekday() < 5
    return Promise(day, True)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a card is posted to."""

    name: str
    phone: str
    address: str


def address(name: str, phone: str, where: str) -> Address:
    """An address as typed. Raises BadInput that says which part is wrong."""
    name, phone, where = normalise(name), clean_phone(phone), normalise(where)
    if not 1 <= len(name) <= 30:
        raise BadInput("ADDRESS_NAME", "请填写收件人。", where="收件人", expected="30 字以内")
    if reason := phone_problem(phone):
        raise BadInput("ADDRESS_PHONE", reason.message, where="收件手机", expected=reason.expected)
    if not 6 <= len(where) <= 120:
        raise BadInput(
            "ADDRESS_PLACE",
            "请写完整的收件地址。",
            where="收件地址",
            found=f"{len(where)} 个字",
            expected="区、街道、小区、楼门号，6 至 120 字",
        )
    return Address(name, phone, where)

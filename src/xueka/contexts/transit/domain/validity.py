"""The validity of the student fare as the transit company keeps it (docs/interfaces/transit.md §3)."""

from dataclasses import dataclass
from datetime import date, datetime

from xueka.contexts.transit.domain import reading

STUDENT, ORDINARY = "student", "ordinary"
FARES = {STUDENT: "学生优惠", ORDINARY: "普通票价"}

VALID, ENDING, ENDED, NEVER = "valid", "ending", "ended", "never"
STANDINGS = {VALID: "有效", ENDING: "快到期", ENDED: "已过期", NEVER: "没有开通"}


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said of one card. `valid_until` is the last day of the student fare, None without it."""

    card: str
    transit_number: str
    fare: str
    valid_until: date | None
    as_of: datetime


def read(data: object) -> Heard:
    """Raises BadInput `TRANSIT_CONTENT`."""
    told = reading.members(data)
    fare = reading.one_of(told, "fare", FARES)
    until = reading.day(told, "valid_until", empty=fare == ORDINARY)
    return Heard(
        reading.text(told, "card", 32),
        reading.text(told, "transit_number", 32),
        fare,
        until,
        reading.as_of(told),
    )


def standing(fare: str, valid_until: date | None, today: date, soon_days: int) -> str:
    if fare != STUDENT or valid_until is None:
        return NEVER
    if valid_until < today:
        return ENDED
    return ENDING if (valid_until - today).days < soon_days else VALID


def record_of(card: str, transit_number: str, fare: str, valid_until: date | None) -> str:
    """The text that is compared, to the byte."""
    return f"{card}|{transit_number}|{fare}|{valid_until.isoformat() if valid_until else ''}"

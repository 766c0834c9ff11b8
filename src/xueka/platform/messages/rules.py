"""When a message may go: quiet hours, and how many a phone and the city bear. Pure; times are Beijing's."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from xueka.kernel import clock
from xueka.platform.messages.templates import CODE


@dataclass(frozen=True, slots=True)
class Hours:
    """From `begins` to `ends`, over midnight where it ends earlier than it begins. `begins` belongs to it."""

    begins: time
    ends: time

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}–{self.ends:%H:%M}"


@dataclass(frozen=True, slots=True)
class Limits:
    """Messages beside codes to one phone a day; all of the city in a minute; beside codes, and codes, of the
    city in a day; 0: no limit.
    """

    phone_day: int
    city_minute: int
    city_day: int
    codes_day: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: when to look again, and why (Chinese)."""

    until: datetime
    why: str


def hours(text: str) -> Hours | None:
    """`21:00-08:00`; None for the empty text: no quiet hours. Raises ValueError for anything else."""
    if not text:
        return None
    begins, _, ends = text.partition("-")
    found = Hours(time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip()))
    if found.begins == found.ends:
        raise ValueError("quiet hours of no length")
    return found


def quiet_until(moment: datetime, quiet: Hours | None) -> datetime | None:
    """When the quiet hours that `moment` lies in are over; None where it lies in none."""
    if quiet is None:
        return None
    here = clock.local(moment)
    over_midnight = quiet.ends < quiet.begins
    now = here.time()
    if over_midnight:
        inside = now >= quiet.begins or now < quiet.ends
        day = here.date() + timedelta(days=now >= quiet.begins)
    else:
        inside = quiet.begins <= now < quiet.ends
        day = here.date()
    return datetime.combine(day, quiet.ends, here.tzinfo) if inside else None


def day_begins(moment: datetime) -> datetime:
    """The midnight before it, Beijing time."""
    return clock.local(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def wait(kind: str, moment: datetime, quiet: Hours | None, limits: Limits, today: int) -> Wait | None:
    """Whether a message of this kind has to wait. `today`: what this phone was sent today beside codes.

    Codes never wait: who typed a number looks at the phone now, and the door that sends them counts itself.
    """
    if kind == CODE:
        return None
    if until := quiet_until(moment, quiet):
        return Wait(until, f"夜间不打扰，{until:%-H:%M} 后发送。")
    if limits.phone_day and today >= limits.phone_day:
        morning = day_begins(moment) + timedelta(days=1)
        until = quiet_until(morning, quiet) or morning
        return Wait(until, f"今天已向这个号码发了 {today} 条，明天再发。")
    return None

"""Which scheduled backups are kept: the newest of each of the last days, weeks and months, and always the
newest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from xueka.kernel import clock


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days, weeks and months with a backup are kept."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def kept(moments: Iterable[datetime], rule: Retention) -> set[datetime]:
    """Of the moments at which good backups were made, those to keep. Never empty unless `moments` is."""
    newest_first = sorted(set(moments), reverse=True)
    keep = set(newest_first[:1])
    periods: tuple[tuple[int, Callable[[date], object]], ...] = (
        (rule.daily, lambda day: day),
        (rule.weekly, lambda day: tuple(day.isocalendar())[:2]),
        (rule.monthly, lambda day: (day.year, day.month)),
    )
    for number, period in periods:
        newest: dict[object, datetime] = {}
        for moment in newest_first:
            newest.setdefault(period(clock.local(moment).date()), moment)
        keep |= set(list(newest.values())[:number])
    return keep


def is_due(last: datetime | None, now: datetime, hour: int) -> bool:
    """Whether the backup of the last full `hour` o'clock (Shanghai) is still to be made."""
    local = clock.local(now)
    point = datetime.combine(local.date(), time(hour), clock.SHANGHAI)
    if point > local:
        point -= timedelta(days=1)
    return last is None or last < point

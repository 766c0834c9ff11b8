"""How dates, ages, money, numbers and sizes read on the screen.

Moments are aware datetimes and are shown as Shanghai's clock shows them; `None` and "" read as «—».
"""

from datetime import date, datetime, timedelta

from xueka.kernel import clock

NOTHING = "—"
WEEKDAYS = "一二三四五六日"


def _day(value: date | datetime) -> date:
    return clock.local(value).date() if isinstance(value, datetime) else value


def day(value: date | datetime | None) -> str:
    """2024年9月2日 周一"""
    if not value:
        return NOTHING
    d = _day(value)
    return f"{d.year}年{d.month}月{d.day}日 周{WEEKDAYS[d.weekday()]}"


def short_day(value: date | datetime | None) -> str:
    """9月2日 周一, for the current year; another year is named."""
    if not value:
        return NOTHING
    d = _day(value)
    return day(d).removeprefix(f"{clock.today().year}年")


def about(value: date | None) -> str:
    """An estimated day: 9月2日 周一 within three months, 2027年3月 beyond."""
    if value and (value - clock.today()).days > 92:
        return f"{value.year}年{value.month}月"
    return short_day(value)


def moment(value: datetime | None) -> str:
    """2024年9月2日 周一 14:05"""
    if not value:
        return NOTHING
    return f"{day(value)} {clock.local(value):%H:%M}"


def compact(value: date | datetime | None) -> str:
    """2024-09-02, or 2024-09-02 14:05 – for columns of a list, where dates stand under one another."""
    if not value:
        return NOTHING
    return f"{clock.local(value):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else value.isoformat()


def span(length: timedelta) -> str:
    """3 天, 2 小时, 5 分钟, 不到 1 分钟: one unit, rounded down."""
    seconds = int(length.total_seconds())
    for unit, size in (("天", 86_400), ("小时", 3_600), ("分钟", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "不到 1 分钟"


def age(value: datetime | date | None) -> str:
    """How long ago. A date counts whole days: 今天, 1 天, …"""
    if not value:
        return NOTHING
    if isinstance(value, datetime):
        return span(clock.now() - value)
    days = (clock.today() - value).days
    return "今天" if days == 0 else f"{days} 天"


def due(value: datetime | date | None) -> str:
    """How far a promised moment is: 还有 3 天, 今天到期, 已过 2 天."""
    if not value:
        return NOTHING
    days = (_day(value) - clock.today()).days
    if days == 0:
        return "今天到期"
    return f"还有 {days} 天" if days > 0 else f"已过 {-days} 天"


def yuan(fen: int | None) -> str:
    """Integer fen as ¥1,234.50; a negative amount as −¥20.00 with a true minus sign."""
    if fen is None:
        return NOTHING
    sign = "−" if fen < 0 else ""
    whole, cents = divmod(abs(fen), 100)
    return f"{sign}¥{whole:,}.{cents:02d}"


def count(value: int | float | None) -> str:
    """1,234,567"""
    return NOTHING if value is None else f"{value:,}"


def number(value: int | float | str | None) -> str:
    """A number with its thousands; a text (¥20.00) as it is."""
    return value if isinstance(value, str) else count(value)


def seconds(value: float) -> str:
    """A length of time in seconds: 3 分钟."""
    return span(timedelta(seconds=value))


def percent(part: int, whole: int) -> str:
    """Whole percent, rounded down so that 100 % means all of it; «—» of nothing."""
    return f"{part * 100 // whole}%" if whole else NOTHING


def groups(number: str | None) -> str:
    """A long number in groups of four from the left, for reading aloud: 3104 9110 0027 5518."""
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4)) if number else NOTHING


def size(octets: int | None) -> str:
    """62 KB, 1.4 MB; sizes of photos and files (1 KB = 1024 bytes)."""
    if octets is None:
        return NOTHING
    if octets < 1024:
        return f"{octets} 字节"
    if octets < 1024 * 1024:
        return f"{octets / 1024:.0f} KB"
    return f"{octets / 1024 / 1024:.1f} MB"

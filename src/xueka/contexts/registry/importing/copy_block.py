"""Rows in PostgreSQL's binary COPY format, rendered where the rows are made, not where they are sent."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from struct import pack

HEADER = b"PGCOPY\n\xff\r\n\0" + pack(">ii", 0, 0)
TRAILER = b"\xff\xff"

_LENGTHS = [pack(">i", length) for length in range(4096)]
_NULL = pack(">i", -1)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

TRUE, FALSE = b"\1", b"\0"


def int2(value: int) -> bytes:
    return pack(">h", value)


def int4(value: int) -> bytes:
    return pack(">i", value)


def int8(value: int) -> bytes:
    return pack(">q", value)


def day(value: date) -> bytes:
    return pack(">i", (value - _EPOCH.date()).days)


def moment(value: datetime) -> bytes:
    return pack(">q", (value - _EPOCH) // timedelta(microseconds=1))


def render(rows: Iterable[Sequence[bytes | None]], width: int) -> bytes:
    """Rows of `width` values, each in the binary form of its type (text is UTF-8), None for null."""
    begin = pack(">h", width)
    parts: list[bytes] = []
    add = parts.append
    for row in rows:
        add(begin)
        for value in row:
            if value is None:
                add(_NULL)
            else:
                length = len(value)
                add(_LENGTHS[length] if length < 4096 else pack(">i", length))
                add(value)
    return b"".join(parts)

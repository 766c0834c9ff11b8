"""Rows in PostgreSQL's binary COPY format, rendered where the rows are made, not where they are sent."""

from collections.abc import Iterable, Sequence
from struct import pack

HEADER = b"PGCOPY\n\xff\r\n\0" + pack(">ii", 0, 0)
TRAILER = b"\xff\xff"

_LENGTHS = [pack(">i", length) for length in range(4096)]
_NULL = pack(">i", -1)

TRUE, FALSE = b"\1", b"\0"


def int2(value: int) -> bytes:
    return pack(">h", value)


def int4(value: int) -> bytes:
    return pack(">i", value)


def int8(value: int) -> bytes:
    return pack(">q", value)


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

"""Command and answer as ISO 7816-4 frames them."""

from dataclasses import dataclass

DONE = 0x9000
MEMORY_FAILURE = 0x6581
WRONG_LENGTH = 0x6700
WRONG_STRUCTURE = 0x6981
NOT_ALLOWED = 0x6982
LOCKED = 0x6983
CONDITIONS = 0x6985
NO_FILE_SELECTED = 0x6986
WRONG_DATA = 0x6A80
NOT_SUPPORTED = 0x6A81
FILE_NOT_FOUND = 0x6A82
RECORD_NOT_FOUND = 0x6A83
NO_SPACE = 0x6A84
WRONG_P1_P2 = 0x6A86
KEY_NOT_FOUND = 0x6A88
EXISTS = 0x6A89
WRONG_OFFSET = 0x6B00
NO_SUCH_KEY = 0x9403
UNKNOWN_INSTRUCTION = 0x6D00
UNKNOWN_CLASS = 0x6E00
TRIES_LEFT = 0x63C0
OTHER_LENGTH = 0x6C00


class Status(Exception):
    """The command ends with this status word and no data."""

    def __init__(self, word: int) -> None:
        super().__init__(f"{word:04x}")
        self.word = word


@dataclass(frozen=True)
class Command:
    """`le` is None when no data are expected back; `head` counts in the MAC."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int | None
    head: bytes  # CLA INS P1 P2 Lc as sent

    @property
    def protected(self) -> bool:
        return bool(self.cla & 0x04)

    @property
    def reference(self) -> int:
        return self.p1 << 8 | self.p2


def parse(frame: bytes) -> Command:
    """Short and extended lengths; anything that does not add up is 6700."""
    if len(frame) < 4:
        raise Status(WRONG_LENGTH)
    cla, ins, p1, p2 = frame[:4]
    body = frame[4:]
    head, data, le = frame[:4] + b"\0", b"", None
    if not body:
        pass
    elif len(body) == 1:
        le = body[0] or 256
    elif body[0]:
        lc = body[0]
        head, data, rest = frame[:5], body[1 : 1 + lc], body[1 + lc :]
        if len(data) < lc or len(rest) > 1:
            raise Status(WRONG_LENGTH)
        le = (rest[0] or 256) if rest else None
    elif len(body) == 3:
        le = int.from_bytes(body[1:]) or 65536
    else:
        lc = int.from_bytes(body[1:3])
        head, data, rest = frame[:7], body[3 : 3 + lc], body[3 + lc :]
        if not lc or len(data) < lc or len(rest) not in {0, 2}:
            raise Status(WRONG_LENGTH)
        le = (int.from_bytes(rest) or 65536) if rest else None
    return Command(cla, ins, p1, p2, data, le, head)

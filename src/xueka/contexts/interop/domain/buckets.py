"""The arithmetic of comparing two sides (docs/interfaces/exchange.md §7), and how it narrows down.

A record is a key and a text. Buckets are the first digits of the key's SHA-256; the digest of a bucket is
that of the texts' digests in the order of the keys' digests.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xueka.kernel.errors import BadInput

FIRST, SECOND = 2, 4  # digits
FEW = 500  # records in buckets that differ: these few are asked for at once
MOST_PREFIXES = 1024
_PREFIX = re.compile(r"[0-9a-f]{0,8}", re.ASCII)
MOST_RECORDS = 50_000  # looked at in one comparison

MISSING_THERE, MISSING_HERE, DIFFERS = "missing_there", "missing_here", "differs"
KINDS = {MISSING_THERE: "对方没有", MISSING_HERE: "本方没有", DIFFERS: "内容不同"}

#: prefix → (count, digest).
Buckets = Mapping[str, tuple[int, str]]
#: Buckets of so many digits below each prefix.
AskBuckets = Callable[[Sequence[str], int], Buckets]
#: Records by key below each prefix.
AskRecords = Callable[[Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared."""

    buckets: AskBuckets
    records: AskRecords


@dataclass(slots=True)
class Compared:
    """`differing`: key → (our text, their text), either empty where that side lacks it. `whole`: all were
    seen.
    """

    ours: int = 0
    theirs: int = 0
    round_trips: int = 0
    whole: bool = True
    differing: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def missing_there(self) -> int:
        return sum(not theirs for _, theirs in self.differing.values())

    @property
    def missing_here(self) -> int:
        return sum(not ours for ours, _ in self.differing.values())

    @property
    def both(self) -> int:
        """Records that both sides hold."""
        return self.ours - self.missing_there

    @property
    def agreeing(self) -> int:
        return self.both - (len(self.differing) - self.missing_there - self.missing_here)


def compare(ours: Side, theirs: Side) -> Compared:
    """Narrow down to the records that differ. Whatever the sides raise passes through."""
    result = Compared()
    mine, other = _ask(ours, theirs, [""], FIRST, result)
    result.ours, result.theirs = _total(mine), _total(other)
    wrong, suspects = _unlike(mine, other)
    if suspects > FEW:
        mine, other = _ask(ours, theirs, wrong, SECOND, result)
        wrong, _ = _unlike(mine, other)
    for part in _parts(wrong, mine, other, result):
        ours_here, theirs_here = ours.records(part), theirs.records(part)
        result.round_trips += 1
        for key in ours_here.keys() | theirs_here.keys():
            pair = (ours_here.get(key, ""), theirs_here.get(key, ""))
            if pair[0] != pair[1]:
                result.differing[key] = pair
    return result


def kind_of(ours: str, theirs: str) -> str:
    if not theirs:
        return MISSING_THERE
    return DIFFERS if ours else MISSING_HERE


def bucket(key: str) -> str:
    """The whole of a key's digest; buckets are its beginnings."""
    return hashlib.sha256(key.encode()).hexdigest()


def digest(records: Iterable[tuple[str, str]]) -> str:
    """The digest of a bucket with these records (key, text)."""
    whole = hashlib.sha256()
    for _, text in sorted((bucket(key), text) for key, text in records):
        whole.update(hashlib.sha256(text.encode()).digest())
    return whole.hexdigest()


def read_question(asked: object) -> tuple[list[str], int, bool]:
    """What a counterpart asks: prefixes, width, whether for records. Raises BadInput `QUESTION_WRONG`."""
    told = asked if isinstance(asked, dict) else {}
    prefixes, width, records = told.get("prefixes"), told.get("width", 0), told.get("records", False)
    if (
        isinstance(prefixes, list)
        and 1 <= len(prefixes) <= MOST_PREFIXES
        and all(isinstance(each, str) and _PREFIX.fullmatch(each) for each in prefixes)
        and isinstance(records, bool)
        and type(width) is int
        and (records or max(map(len, prefixes)) < width <= 8)
    ):
        return prefixes, width, records
    raise BadInput(
        "QUESTION_WRONG",
        "核对的问题不对。",
        expected="prefixes 为 1 至 1024 个十六进制前缀；width 为 1 至 8 且大于前缀长度，或 records 为真",
        action="请对照数据交换接口说明第 7 节。",
    )


def _ask(
    ours: Side, theirs: Side, prefixes: Sequence[str], width: int, result: Compared
) -> tuple[dict[str, tuple[int, str]], dict[str, tuple[int, str]]]:
    mine: dict[str, tuple[int, str]] = {}
    other: dict[str, tuple[int, str]] = {}
    for start in range(0, len(prefixes), MOST_PREFIXES):
        part = prefixes[start : start + MOST_PREFIXES]
        mine.update(ours.buckets(part, width))
        other.update(theirs.buckets(part, width))
        result.round_trips += 1
    return mine, other


def _unlike(mine: Buckets, other: Buckets) -> tuple[list[str], int]:
    """Buckets that differ, and how many records they hold."""
    wrong = sorted(each for each in mine.keys() | other.keys() if mine.get(each) != other.get(each))
    return wrong, sum(max(_count(mine, each), _count(other, each)) for each in wrong)


def _parts(wrong: Sequence[str], mine: Buckets, other: Buckets, result: Compared) -> Iterable[list[str]]:
    """Buckets to ask for at a time, until as many records are seen as one comparison looks at."""
    part: list[str] = []
    size = seen = 0
    for each in wrong:
        if seen >= MOST_RECORDS:
            result.whole = False
            break
        count = max(_count(mine, each), _count(other, each))
        part.append(each)
        size, seen = size + count, seen + count
        if size >= 5_000 or len(part) == MOST_PREFIXES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _count(found: Buckets, prefix: str) -> int:
    return found.get(prefix, (0, ""))[0]


def _total(found: Buckets) -> int:
    return sum(count for count, _ in found.values())

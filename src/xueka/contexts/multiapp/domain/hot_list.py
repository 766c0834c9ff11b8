"""The hot-list as partners receive it (docs/interfaces/partner-api.md §6): lines, the last one signed."""

from dataclasses import dataclass
from datetime import datetime

from xueka.kernel.errors import BadInput, Conflict

MARK = "XKH1"
FULL, CHANGES = "full", "changes"
REASONS = {"lost": "已挂失", "cancelled": "已注销", "void": "已作废"}


@dataclass(frozen=True, slots=True)
class Head:
    """Where the list stands. A change list can start from `floor` or later."""

    version: int
    floor: int
    at: datetime


def check_since(since: int, head: Head) -> None:
    """Whether a change list from version `since` can be given.

    Raises Conflict `HOT_LIST_GAP` (take the full list) where it is too old, BadInput `HOT_LIST_SINCE` where
    there is no such version.
    """
    if since < 0:
        raise BadInput(
            "HOT_LIST_SINCE", "没有这个版本的名单。", where="since", found=since, expected="0 或更大的整数"
        )
    if since > head.version:
        raise Conflict(
            "HOT_LIST_GAP",
            "手上的版本比现在的还新，不能据此给变动。",
            where="since",
            found=since,
            expected=f"{head.floor} 至 {head.version}",
            action="请下载全量名单，替换手上的。",
        )
    if since < head.floor:
        raise Conflict(
            "HOT_LIST_GAP",
            "手上的版本太旧，变动已不完整。",
            where="since",
            found=since,
            expected=f"{head.floor} 至 {head.version}",
            action="请下载全量名单，替换手上的。",
        )


def first_line(what: str, head: Head, since: int) -> bytes:
    """`XKH1⇥changes⇥42⇥40⇥2026-11-26T05:00:00Z`."""
    return f"{MARK}\t{what}\t{head.version}\t{since}\t{head.at:%Y-%m-%dT%H:%M:%SZ}\n".encode()


def last_line(lines: int) -> bytes:
    """`END⇥3`: how many cards were listed; what is cut off shows."""
    return f"END\t{lines}\n".encode()


def signature_line(signature: str) -> bytes:
    """`SIG⇥base64` of the signature over every byte before this line."""
    return f"SIG\t{signature}\n".encode()

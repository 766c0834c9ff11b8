"""Reading what the transit company says: members of a JSON object, each refused with its name."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from xueka.kernel import clock
from xueka.kernel.errors import BadInput

#: Their clock may be so far ahead of ours.
AHEAD = timedelta(hours=1)

#: What JSON can say and no database keeps: NUL, and halves of a pair.
_UNKEPT = re.compile("[\x00\ud800-\udfff]")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def wrong(where: str, found: object, expected: str) -> BadInput:
    """Raised for a member that breaks docs/interfaces/transit.md."""
    return BadInput(
        "TRANSIT_CONTENT",
        "一卡通公司的消息不合约定。",
        where=where,
        found=str(found)[:60],
        expected=expected,
        action="请把接口说明的该项交给对方核对。",
    )


def members(data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise wrong("data", type(data).__name__, "JSON 对象")
    return data


def text(data: Mapping[str, Any], name: str, most: int = 64, *, empty: bool = False) -> str:
    found = data.get(name, "" if empty else None)
    if found is None and empty:
        return ""
    if not isinstance(found, str) or len(found) > most or _UNKEPT.search(found) or not (found or empty):
        raise wrong(name, found, f"1 至 {most} 个字符")
    return found


def number(data: Mapping[str, Any], name: str, least: int = 0, most: int = 10**12) -> int:
    found = data.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise wrong(name, found, f"{least} 至 {most} 的整数")
    return found


def one_of(data: Mapping[str, Any], name: str, known: Mapping[str, str]) -> str:
    found = data.get(name)
    if not isinstance(found, str) or found not in known:
        raise wrong(name, found, "、".join(known))
    return found


def yes(data: Mapping[str, Any], name: str) -> bool:
    found = data.get(name)
    if not isinstance(found, bool):
        raise wrong(name, found, "true 或 false")
    return found


def day(data: Mapping[str, Any], name: str, *, empty: bool = False) -> date | None:
    found = data.get(name)
    if empty and name in data and found in (None, ""):
        return None
    try:
        if isinstance(found, str) and _DAY.fullmatch(found):
            return date.fromisoformat(found)
    except ValueError:
        pass
    raise wrong(name, found, "YYYY-MM-DD")


def moment(data: Mapping[str, Any], name: str) -> datetime:
    found = data.get(name)
    try:
        made = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        made = None
    if made is None or made.tzinfo is None:
        raise wrong(name, found, "带时区的时间，如 2026-09-01T08:30:00+08:00")
    return made


def as_of(data: Mapping[str, Any]) -> datetime:
    """When something was so. A word of the future would stand until then against every later one."""
    made = moment(data, "as_of")
    if made > clock.now() + AHEAD:
        raise wrong("as_of", data["as_of"], "不晚于现在")
    return made

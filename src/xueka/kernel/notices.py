"""The State Council's notices on days off (国务院办公厅关于…年部分节假日安排的通知) as data.

One JSON object per year, the same form in `data/workdays/`, in files given to `xueka calendar load`, and in
the installation's own `calendar/` directory:

    {"year": 2026, "source": "…", "off": [{"from": "2026-02-15", "to": "2026-02-23", "name": "春节"}],
     "make_up": ["2026-02-14", "2026-02-28"]}

An entry of `off` may also be a single day: "2026-01-01" or {"date": "2026-01-01", "name": "元旦"}.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from xueka.kernel.errors import BadInput, XuekaError

_BUILTIN = Path(__file__).with_name("data") / "workdays"
_UNNAMED = "放假"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# 《全国年节及纪念日放假办法》: these are off in every year, so a notice without them was copied badly.
_ALWAYS_OFF = ((1, 1, "元旦"), (5, 1, "劳动节"), (10, 1, "国庆节"))


@dataclass(frozen=True, eq=False)
class Notice:
    """One year's notice: the days off with their names, and the weekend days that are worked instead.

    Compared by identity, so that calendars built from the same notices can be kept.
    """

    year: int
    off: Mapping[date, str]
    make_up: frozenset[date]
    source: str = ""

    @property
    def warnings(self) -> list[str]:
        """What looks wrong without being impossible."""
        return [
            f"通知中没有{name}（{self.year}-{month:02d}-{day:02d}），请核对。"
            for month, day, name in _ALWAYS_OFF
            if date(self.year, month, day) not in self.off
        ]

    def as_dict(self) -> dict[str, Any]:
        """The notice in the form that `load_notice` reads."""
        return {
            "year": self.year,
            "source": self.source,
            "off": [{"date": day.isoformat(), "name": name} for day, name in sorted(self.off.items())],
            "make_up": [day.isoformat() for day in sorted(self.make_up)],
        }


def load_notice(data: object) -> Notice:
    """Read and check one notice. Raises BadInput `CALENDAR_NOTICE_INVALID` that says where and what."""
    if not isinstance(data, dict):
        raise _invalid("应为一个 JSON 对象。", "")
    year = data.get("year")
    if not isinstance(year, int) or isinstance(year, bool) or not 2000 <= year <= 2100:
        raise _invalid("年份应为 2000 至 2100 之间的整数。", "year", year)
    off: dict[date, str] = {}
    for index, entry in enumerate(_entries(data, "off")):
        where = f"off[{index}]"
        for day, name in _days_off(entry, year, where):
            if day in off:
                raise _invalid(f"{day} 重复出现。", where, entry)
            off[day] = name
    if not off:
        raise _invalid("没有任何放假日期。", "off")
    make_up: set[date] = set()
    for index, entry in enumerate(_entries(data, "make_up")):
        where = f"make_up[{index}]"
        day = _one_day(entry, year, where)
        if day in make_up:
            raise _invalid(f"{day} 重复出现。", where, entry)
        if day in off:
            raise _invalid(f"{day} 既放假又上班。", where, entry)
        if day.weekday() < 5:
            raise _invalid(f"{day} 不是周末，无须调休上班。", where, entry)
        make_up.add(day)
    source = data.get("source", "")
    if not isinstance(source, str):
        raise _invalid("来源应为文字。", "source", source)
    return Notice(year, off, frozenset(make_up), source)


def read_notice(path: Path) -> Notice:
    """Read a notice from a JSON file (UTF-8, with or without byte-order mark)."""
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except OSError:
        raise BadInput(
            "FILE_UNREADABLE",
            f"无法读取文件 {path}。",
            where=str(path),
            action="请检查文件是否存在、是否可读。",
        ) from None
    except ValueError:
        raise BadInput(
            "CALENDAR_NOTICE_INVALID",
            "文件不是 UTF-8 编码的 JSON。",
            where=str(path),
            action="请按放假安排的文件格式准备。",
        ) from None
    return load_notice(data)


def builtin_notices() -> tuple[Notice, ...]:
    """The notices that are shipped."""
    return _read_all(_stamp(_BUILTIN))


def stored_notices() -> tuple[Notice, ...]:
    """The notices loaded into this installation. Read again as soon as a file has changed."""
    try:
        return _read_all(_stamp(_directory()))
    except BadInput as error:
        raise XuekaError(
            "CALENDAR_STORE_BROKEN",
            f"已载入的放假安排有误：{error.message}",
            where=str(_directory()),
            action="请重新载入该年度的通知。",
        ) from error


def store_notice(notice: Notice) -> Path:
    """Keep `notice` for this installation: `calendar/<year>.json` under XUEKA_HOME, replaced in one step."""
    directory = _directory()
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"{notice.year}.json"
    draft = directory / f".{notice.year}.{os.getpid()}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(notice.as_dict(), file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    return target


def _directory() -> Path:
    return Path(os.environ.get("XUEKA_HOME") or "var").absolute() / "calendar"


_Stamp = tuple[tuple[str, int, int], ...]


def _stamp(directory: Path) -> _Stamp:
    files = ((path, path.stat()) for path in sorted(directory.glob("[0-9]*.json")))
    return tuple((str(path), status.st_mtime_ns, status.st_size) for path, status in files)


@lru_cache(maxsize=8)
def _read_all(stamp: _Stamp) -> tuple[Notice, ...]:
    return tuple(read_notice(Path(path)) for path, _, _ in stamp)


def _entries(data: Mapping[str, Any], key: str) -> list[Any]:
    entries = data.get(key)
    if not isinstance(entries, list):
        raise _invalid(f"缺少列表“{key}”。" if entries is None else "应为列表。", key, entries)
    return entries


def _days_off(entry: object, year: int, where: str) -> Iterable[tuple[date, str]]:
    if not isinstance(entry, dict):
        yield _one_day(entry, year, where), _UNNAMED
        return
    name = entry.get("name", _UNNAMED)
    if not isinstance(name, str) or not name:
        raise _invalid("节日名称应为文字。", where, entry)
    first = _one_day(entry.get("date", entry.get("from")), year, where)
    last = first if "date" in entry else _one_day(entry.get("to"), year, where)
    if last < first:
        raise _invalid(f"{last} 早于 {first}。", where, entry)
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset), name


def _one_day(value: object, year: int, where: str) -> date:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None:
        raise _invalid("日期应写作 2026-01-01，且真实存在。", where, value)
    if day.year != year and (day.year, day.month) != (year - 1, 12):
        raise _invalid(f"{day} 不属于 {year} 年（上一年 12 月除外）。", where, value)
    return day


def _invalid(message: str, where: str, found: object = None) -> BadInput:
    return BadInput(
        "CALENDAR_NOTICE_INVALID",
        f"放假安排有误：{message}",
        where=where or None,
        found=found,
        expected='{"year": 2026, "off": [{"from": …, "to": …, "name": …}], "make_up": [日期…]}',
        action="请对照国务院办公厅通知原文改正后重新载入。",
    )

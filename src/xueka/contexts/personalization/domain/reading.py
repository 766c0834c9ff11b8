"""Reading the tables of a data file member by member, every defect noted with its place."""

import re
from collections.abc import Mapping
from typing import Any

from xueka.kernel.errors import LineProblem

_NOTHING: Any = object()


class Reader:
    """One table. Its problems are those of the whole file: they are collected at the root."""

    def __init__(self, place: str, raw: Any, problems: list[LineProblem] | None = None) -> None:
        self.place = place
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        self.problems: list[LineProblem] = [] if problems is None else problems
        self.missing: set[str] = set()
        self._known: set[str] = set()

    def problem(self, name: str, code: str, found: object, message: str) -> None:
        where = f"{self.place}.{name}".strip(".")
        self.problems.append(LineProblem(0, where, code, str(found)[:80], f"{where}：{message}"))

    def text(self, name: str, pattern: re.Pattern[str], expected: str, *, default: Any = _NOTHING) -> str:
        """A text of a form."""
        value = self._get(name, str, "文字", default)
        if isinstance(value, str) and value != default and not pattern.fullmatch(value):
            self.problem(name, "PROFILE_VALUE", value, f"读到“{value[:40]}”，应为{expected}。")
        return str(value)

    def words(self, name: str, longest: int) -> str:
        """A text for people."""
        value = self._get(name, str, "文字", _NOTHING)
        if not 1 <= len(value.strip()) <= longest and name not in self.missing:
            self.problem(name, "PROFILE_VALUE", value, f"应为 1 至 {longest} 个字。")
        return str(value)

    def number(self, name: str, low: int, high: int, *, default: Any = _NOTHING) -> int:
        value = self._get(name, int, "整数", default)
        if value != default and name not in self.missing and not low <= value <= high:
            self.problem(name, "PROFILE_VALUE", value, f"读到 {value}，应为 {low} 至 {high}。")
        return int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        return bool(self._get(name, bool, "true 或 false", default))

    def choice(self, name: str, allowed: tuple[str, ...], *, default: Any = _NOTHING) -> str:
        value = self._get(name, str, "文字", default)
        if value not in allowed and name not in self.missing:
            self.problem(
                name, "PROFILE_VALUE", value, f"读到“{value[:40]}”，应为 {'、'.join(allowed)} 之一。"
            )
        return str(value)

    def names(self, name: str, pattern: re.Pattern[str], *, default: Any = _NOTHING) -> tuple[str, ...]:
        """A list of names."""
        value = self._get(name, list, "列表", default)
        for each in value:
            if not isinstance(each, str) or not pattern.fullmatch(each):
                self.problem(name, "PROFILE_VALUE", each, f"“{each}”不是名称。")
        return tuple(str(each) for each in value)

    def table(self, name: str) -> "Reader":
        value = self._get(name, dict, "表", _NOTHING)
        return Reader(f"{self.place}.{name}".strip("."), value, self.problems)

    def tables(self, name: str, *, needed: bool = True) -> list["Reader"]:
        """A list of tables; each is called by its `name`, `code` or `id`, else by its position."""
        value = self._get(name, list, "若干个表", _NOTHING if needed else [])
        found = []
        for position, each in enumerate(value, 1):
            called = (
                next((each[k] for k in ("code", "name", "id") if k in each), position)
                if isinstance(each, dict)
                else position
            )
            where = f"{self.place}.{name}[{called}]".strip(".")
            if not isinstance(each, dict):
                self.problem(name, "PROFILE_VALUE", each, "应为表。")
            found.append(Reader(where, each, self.problems))
        return found

    def done(self) -> None:
        """What was not asked for is unknown: a misspelt member must not be left out silently."""
        for name in self.raw:
            if name not in self._known:
                known = "、".join(sorted(self._known))
                self.problem(name, "PROFILE_UNKNOWN", name, f"没有这一项；这里可以写：{known}。")

    def _get(self, name: str, wanted: type, called: str, default: Any) -> Any:
        self._known.add(name)
        if name not in self.raw:
            if default is not _NOTHING:
                return default
            self.missing.add(name)
            self.problem(name, "PROFILE_MISSING", "", "缺少这一项。")
            return wanted()
        value = self.raw[name]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            self.missing.add(name)
            self.problem(name, "PROFILE_VALUE", value, f"应为{called}。")
            return default if default is not _NOTHING else wanted()
        return value

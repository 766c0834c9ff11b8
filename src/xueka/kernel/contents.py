"""Reading the content of a message: each member by its form, with what was found and what was expected."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from xueka.kernel.errors import BadInput

CARD = r"[0-9A-Za-z]{1,32}"
NUMBER = r"[0-9A-Za-z]{1,32}"
DAY = r"\d{4}-\d{2}-\d{2}"


class Content:
    """The `data` of one message. Raises BadInput `CONTENT_WRONG`; members that are not asked for are passed
    over. Values never stand in a refusal: they may be personal.
    """

    def __init__(self, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise wrong("data", "JSON 对象")
        self._data = data

    def word(self, name: str, pattern: str, expected: str, *, optional: bool = False) -> str:
        """A member whose whole text has this form; empty where it may be absent and is."""
        value = self._data.get(name)
        if optional and value in (None, ""):
            return ""
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise wrong(name, expected)
        return value

    def text(self, name: str, most: int, *, optional: bool = False) -> str:
        """A text for people, without blanks at its ends."""
        value = self._data.get(name)
        if optional and value is None:
            return ""
        text = value.strip() if isinstance(value, str) else ""
        if (
            len(text) > most
            or not (text or optional)
            or any(ord(each) < 32 or "\ud800" <= each <= "\udfff" for each in text)
        ):
            raise wrong(name, f"1 至 {most} 个字")
        return text

    def day(self, name: str, *, optional: bool = False) -> date | None:
        """A day as YYYY-MM-DD; None where it may be absent and is."""
        text = self.word(name, DAY, "YYYY-MM-DD", optional=optional)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise wrong(name, "YYYY-MM-DD") from None

    def moment(self, name: str) -> datetime:
        """A time with its offset."""
        value = self._data.get(name)
        try:
            made = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            made = None
        if made is None or made.tzinfo is None:
            raise wrong(name, "带时区的时间")
        return made

    def whole(self, name: str, least: int, most: int) -> int:
        value = self._data.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise wrong(name, f"{least} 至 {most} 的整数")
        return value


def wrong(name: str, expected: str) -> BadInput:
    """Raised for a member that breaks the interface's page."""
    return BadInput(
        "CONTENT_WRONG",
        f"内容里的 {name} 不对，应为{expected}。",
        where=name,
        expected=expected,
        action="请对照接口说明改正后，用新的编号再发。",
    )

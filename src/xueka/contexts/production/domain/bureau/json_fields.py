"""Reading JSON that a stranger wrote: each field is checked for presence, type and form before it is used."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

DIGEST = r"[0-9a-f]{64}"

Refusal = Callable[[str, str, object], NoReturn]
"""Called with a Chinese message, the field's name and what was found; must raise."""


class Fields:
    """One JSON object. Each reader returns the value of a field or calls the refusal."""

    def __init__(self, body: dict[str, Any], refuse: Refusal, prefix: str = "") -> None:
        self._body, self._refuse, self._prefix = body, refuse, prefix

    @classmethod
    def read(cls, raw: bytes, refuse: Refusal) -> "Fields":
        """One object in UTF-8, no key twice."""
        try:
            body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            refuse("不是有效的 UTF-8 JSON 对象，或有重复的字段", "", None)
        return cls(body, refuse)

    def text(self, field: str, form: str) -> str:
        """Text that matches the regular expression `form` as a whole."""
        value = self._body.get(field)
        if not isinstance(value, str) or not re.fullmatch(form, value, re.ASCII | re.DOTALL):
            self.malformed(field)
        return value

    def integer(self, field: str, least: int, most: int) -> int:
        value = self._body.get(field)
        if type(value) is not int or not least <= value <= most:
            self.malformed(field)
        return value

    def boolean(self, field: str) -> bool:
        value = self._body.get(field)
        if not isinstance(value, bool):
            self.malformed(field)
        return value

    def moment(self, field: str) -> datetime:
        """ISO 8601 with offset and seconds; aware."""
        value = self.text(field, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.malformed(field)

    def inner(self, field: str) -> "Fields":
        value = self._body.get(field)
        if not isinstance(value, dict):
            self.malformed(field)
        return Fields(value, self._refuse, f"{self._prefix}{field}.")

    def is_null(self, field: str) -> bool:
        """Present, and null."""
        return field in self._body and self._body[field] is None

    def names(self) -> set[str]:
        return set(self._body)

    def malformed(self, field: str) -> NoReturn:
        found = self._body.get(field)
        shown = found if found is None or isinstance(found, bool | int) else str(found)[:100]
        self._refuse("字段缺失或不符合格式", self._prefix + field, shown)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)

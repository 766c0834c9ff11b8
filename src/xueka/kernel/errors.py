"""The one manner in which anything in Xueka is refused.

Every refusal says, in the user's words, where it happened, what was found, what was expected and what to do;
`code` is stable, because people script against it.
"""

from dataclasses import dataclass
from typing import Any


class XuekaError(Exception):
    """A refusal that a user may read.

    `code` is a stable UPPER_SNAKE name, `message` Chinese text. `where`, `found`, `expected` and `action` are
    the four answers a user needs; pass what is known. Personal values must come in masked (`identifiers`).
    Further keywords travel along as `detail` and appear in `as_dict()`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str | None = None,
        found: object = None,
        expected: object = None,
        action: str | None = None,
        **detail: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.found = found
        self.expected = expected
        self.action = action
        self.detail = detail

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r})"

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `code`, `message` and those of the other parts that are known."""
        known = {
            "where": self.where,
            "found": self.found,
            "expected": self.expected,
            "action": self.action,
            "detail": self.detail or None,
        }
        given = {key: value for key, value in known.items() if value is not None}
        return {"code": self.code, "message": self.message, **given}


class BadInput(XuekaError):
    """What was given cannot be read or breaks a format."""


class Refused(XuekaError):
    """Understood, but a business rule forbids it."""


class Forbidden(XuekaError):
    """The actor lacks the permission."""


class NotFound(XuekaError):
    """It does not exist, or not for this actor: strangers are told no more."""


class Conflict(XuekaError):
    """It changed meanwhile; look again and repeat."""


@dataclass(frozen=True, slots=True, order=True)
class LineProblem:
    """One defect (or warning) of one line of an imported file.

    `line` is the row as a person counts it (the header is line 1), `column` the header's text, `value` what
    was found, masked where it is personal. `file` names the part of a package that has several.
    """

    line: int
    column: str
    code: str
    value: str
    message: str
    file: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            **({"file": self.file} if self.file else {}),
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "value": self.value,
            "message": self.message,
        }

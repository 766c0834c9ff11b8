"""The answer of every act on many objects: what was done, and what was not, with the reason."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """One object that stays as it is: its id, a stable code, and the reason in the user's words."""

    id: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """`done` holds ids in the order given; `refused` (id, code, message) for each of the others."""

    done: list[int] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "refused": [{"id": id_, "code": code, "message": message} for id_, code, message in self.refused],
        }

    def reasons(self) -> dict[str, int]:
        """How many were refused for each code, for the audit log and the summary line."""
        counts: dict[str, int] = {}
        for _, code, _ in self.refused:
            counts[code] = counts.get(code, 0) + 1
        return counts

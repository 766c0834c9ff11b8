"""What the sender asks of a gateway."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Taken:
    """The gateway has the message, under its own id; `parts` as it counts them, 0 where it does not say."""

    gateway_id: str
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: `delivered`, or why not (Chinese); neither while it is on its way."""

    delivered: bool = False
    problem: str = ""


class NotTaken(Exception):
    """The gateway refused the message for good; the text says why, in Chinese, and names no phone."""


class NotNow(Exception):
    """The gateway does not take this one at the moment; others may go."""


class Unreachable(Exception):
    """Nobody answers, or nobody whom we may believe; try again later."""


class Gateway(Protocol):
    def send(self, key: str, phone: str, template: str, values: dict[str, str]) -> Taken:
        """Hand one message over; the same key again is the same message. `template`: `Template.wire`."""

    def ask(self, key: str, gateway_id: str) -> Outcome:
        """What has become of it."""

"""What the sender asks of a gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class Report:
    """What the gateway tells by itself about the message that it knows by `key` and as `gateway_id`."""

    key: str
    gateway_id: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """What a phone replied. `reply_id` tells the same one twice."""

    reply_id: str
    phone: str
    text: str
    at: datetime


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

    def replies(self, after: int) -> tuple[list[Answer], int]:
        """What phones replied since the mark `after` (0 at first), and the next mark."""

    def reports(self, target: str, headers: Mapping[str, str], body: bytes) -> list[Report]:
        """What a push to us says; `target`: path and query as called. Raises Refused `PUSH_REFUSED` where it
        cannot be believed, BadInput `PUSH_UNREADABLE`.
        """

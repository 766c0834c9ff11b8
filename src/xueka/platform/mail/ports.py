"""What the sender asks of a mail server."""

from email.message import EmailMessage
from typing import Protocol


class NotTaken(Exception):
    """The server refused the mail for good; the text says why, in Chinese, and names no address."""


class NotNow(Exception):
    """The server does not take this one at the moment (greylisted, box full); others may go."""


class Unreachable(Exception):
    """Nobody answers, or nobody whom we may trust with a mail; try again later."""


class Transport(Protocol):
    @property
    def sender(self) -> tuple[str, str]:
        """(address, name) that stands as From and takes what comes back."""

    def send(self, to: str, mail: EmailMessage) -> None:
        """Hand one mail over; returns when the server has taken it."""

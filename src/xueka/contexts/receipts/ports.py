"""What receipts need from outside: the receipt desk of the finance office."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from xueka.contexts.receipts.domain.einvoice import Terms
from xueka.contexts.receipts.models import Draw, Receipt
from xueka.kernel.errors import XuekaError


class OfficeUnavailable(XuekaError):
    """No answer, or none that can be trusted: nothing is known of what was done. Ask again later."""


class OfficeRefused(XuekaError):
    """The office has answered, and the answer is no; `code` is its result."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """What the office signs with: PEM of an SM2 public key, and the seal's number and name."""

    pem: str
    seal_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A receipt as the office gives it: bytes of the document and of its detached signature document."""

    content: bytes
    signature: bytes
    page_url: str


class Office(Protocol):
    """The receipt desk. Every call may be repeated. Raises OfficeUnavailable, OfficeRefused."""

    terms: Terms
    seal: SealKey

    def number(self, receipt: Receipt) -> str:
        """The number for the payment code of a receipt, blue or red; the same until it is issued."""

    def draw(self, draw: Draw) -> int:
        """The first of a block of numbers."""

    def issue(self, receipt: Receipt) -> None:
        """Seal and sign what the draft says. The same again is done already."""

    def download(self, receipt: Receipt) -> Downloaded:
        """The document that was issued."""


#: Opens the desk. Raises OfficeUnavailable while the office has not handed over its card.
Connect = Callable[[], Office]

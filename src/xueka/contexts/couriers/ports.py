"""What shipments need from outside: somebody who carries, somebody who tells where things are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from xueka.contexts.couriers.domain.rules import Address
from xueka.contexts.couriers.domain.status import Heard
from xueka.kernel.errors import XuekaError

#: Bytes of a push; larger ones are refused unread.
PUSH_LIMIT = 64 * 1024
#: Waybills in one question.
AT_ONCE = 10


class CourierUnavailable(XuekaError):
    """No answer, or none that can be read: nothing is known of what happened. Ask later."""


class CourierRefused(XuekaError):
    """The courier has answered, and the answer is no."""


class PushRefused(XuekaError):
    """A push that is not to be believed, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a courier is asked to carry. `order_id` is ours and stays: asking again is the same order."""

    order_id: str
    pieces: int
    sender: Address
    receiver: Address
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of an order: `taken` with its waybills, the mother first; `waiting` for a person at the
    courier; `refused`, and why; `off`: cancelled.
    """

    state: Literal["taken", "waiting", "refused", "off"]
    waybills: tuple[str, ...] = ()
    route_label: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One parcel of a shipment, for its label. `remark` tells the packer which box it is for."""

    waybill: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A push, read. `confirmed`: signed by the courier, and so believed without a question.

    `end`: for kuaidi100, that nothing follows (`over`), that it has to be subscribed again (`again`), or
    that it gave up (`stopped`); `said` is its message.
    """

    entries: Sequence[Heard]
    confirmed: bool
    waybill: str = ""
    end: Literal["", "over", "again", "stopped"] = ""
    said: str = ""
    extra: dict[str, str] = field(default_factory=dict)


class Pushes(Protocol):
    def read_push(self, content_type: str, raw: bytes) -> Told:
        """Verify where it is signed, and read. Raises PushRefused."""

    def answer(self, accepted: bool) -> tuple[int, bytes, str]:
        """What the courier wants to hear of a push: status, body, content type."""


class Courier(Pushes, Protocol):
    """One courier under one account. Every call may be repeated."""

    def order(self, parcel: Parcel) -> Placed:
        """Ask for a parcel to be carried. An order that is known already is the same order.

        Raises CourierUnavailable, CourierRefused.
        """

    def search(self, order_id: str) -> Placed | None:
        """What became of an order; None where the courier knows of none. Raises CourierUnavailable."""

    def cancel(self, order_id: str) -> bool:
        """Take an order back: True when it is off, False when it is too late. Raises CourierUnavailable."""

    def routes(self, waybills: Sequence[str]) -> list[Heard]:
        """The whole way of at most AT_ONCE waybills. Raises CourierUnavailable."""

    def label(self, pieces: Sequence[Piece]) -> bytes | None:
        """The courier's own labels as one PDF, a page a parcel, the mother first; None where this account
        has none. Raises CourierUnavailable, CourierRefused.
        """

    def intercept(self, waybill: str) -> None:
        """Have it sent back to us. Raises CourierUnavailable, CourierRefused."""


class Follower(Pushes, Protocol):
    """Somebody who follows parcels of any courier and tells us."""

    def subscribe(self, waybill: str, company: str, phone: str, callback: str, time: int) -> None:
        """Have a waybill followed, for the `time`th time; what is pushed then differs from what was pushed
        before. Raises CourierUnavailable, CourierRefused.
        """

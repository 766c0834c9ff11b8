"""What payments need from outside: a channel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from xueka.contexts.payments.models import ChannelAccount, Payment, Refund
from xueka.kernel.errors import XuekaError

#: Bytes of a notice; larger ones are refused unread.
NOTICE_LIMIT = 64 * 1024


class ChannelUnavailable(XuekaError):
    """No answer, or none that can be trusted: nothing is known of what happened. Ask later."""


class ChannelRefused(XuekaError):
    """The channel has answered, and the answer is no; `code` of the channel is in `detail`."""


class NoticeRefused(XuekaError):
    """A notice that is not to be believed: signature, certificate, age or form."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a payer's page needs: `kind` says how (a script call, an address to go to, a code to show)."""

    kind: Literal["jsapi", "redirect", "code"]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel says of a payment. Amounts in fen; `success_at` aware. `missing`: it knows of none."""

    state: Literal["succeeded", "waiting", "failed", "closed", "missing"]
    amount_fen: int = 0
    channel_id: str = ""
    success_at: datetime | None = None
    merchant: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class ToldRefund:
    """What a channel says of a refund."""

    state: Literal["succeeded", "waiting", "failed", "abnormal", "missing"]
    amount_fen: int = 0
    channel_id: str = ""
    success_at: datetime | None = None
    word: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that has been verified. `id` is the channel's own, by which it knows a repetition.

    Exactly one of `payment` and `refund` is set.
    """

    id: str
    out_trade_no: str
    payment: Told | None = None
    refund: ToldRefund | None = None
    refund_no: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """One channel under one account. Every call may be repeated: numbers are ours and stay the same."""

    def start(self, payment: Payment, openid: str, back: str) -> Started:
        """Ask for a payment; `back` is where the payer goes afterwards, if anywhere.

        Raises ChannelUnavailable, ChannelRefused.
        """

    def ask(self, payment: Payment) -> Told:
        """What became of it: by `asked_id` where there is one, else by our number.

        Raises ChannelUnavailable.
        """

    def close(self, payment: Payment) -> Told:
        """End it unless it was paid: `closed`, or what it is instead. Raises ChannelUnavailable."""

    def refund(self, refund: Refund) -> ToldRefund:
        """Send money back under `refund.number`. Raises ChannelUnavailable, ChannelRefused."""

    def ask_refund(self, refund: Refund) -> ToldRefund:
        """What became of it. Raises ChannelUnavailable."""

    def statement(self, day: date, kind: str) -> bytes | None:
        """The statement of a day as the channel delivers it; None where it says that there is none.

        Raises ChannelUnavailable, also while it is being made.
        """

    def read_notice(self, headers: Mapping[str, str], raw: bytes, received_at: datetime) -> Notice:
        """Verify and read. Header names are lower case. Raises NoticeRefused."""

    def answer(self, accepted: bool, raw: bytes) -> tuple[int, bytes, str]:
        """What the channel wants to hear of a notice: status, body, content type."""


class FinanceOffice(Channel, Protocol):
    """The channel whose money reaches the treasury itself, and is confirmed."""

    def confirmed(self, day: date) -> list[Mapping[str, str]]:
        """What was confirmed on a day: the fields of 5996, and `RefundAmt`. Raises ChannelUnavailable."""

    def confirmation(self, raw: bytes) -> tuple[str, Mapping[str, str]] | None:
        """A pushed confirmation: its message's number and its fields; None for what is not to be believed."""


#: Makes the adapter of an account.
Connect = Callable[[ChannelAccount], Channel]

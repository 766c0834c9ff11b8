"""A channel in memory, for tests: it knows what was paid there, signs what it says, and may keep silent."""

import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from xueka.contexts.payments.models import ChannelAccount, Payment, Refund
from xueka.contexts.payments.ports import (
    Channel,
    ChannelRefused,
    ChannelUnavailable,
    Notice,
    NoticeRefused,
    Started,
    Told,
    ToldRefund,
)
from xueka.kernel import clock

MERCHANT = "1900000109"  # as on the statements of tests
_KEY = b"a key of tests only"


@dataclass
class Bank:
    """What the channel itself has on its books, by our numbers. `drop` of its answers are lost, 0 to 100."""

    paid: dict[str, Told] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    seconds: dict[str, Told] = field(default_factory=dict)  # by the channel's own numbers
    refunds: dict[str, ToldRefund] = field(default_factory=dict)
    refund_of: dict[str, str] = field(default_factory=dict)
    refuse_refunds: bool = False
    abnormal: bool = False
    statements: dict[tuple[str, date], bytes] = field(default_factory=dict)
    confirmed: dict[date, list[Mapping[str, str]]] = field(default_factory=dict)
    late: set[date] = field(default_factory=set)
    drop: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    calls: int = 0

    def pay(self, payment: Payment, fen: int | None = None) -> Told:
        """A payer pays; whatever we may think of the order by then."""
        amount = payment.amount_fen if fen is None else fen
        told = Told("succeeded", amount, f"T{payment.out_trade_no}", clock.now(), MERCHANT, "SUCCESS")
        return self.paid.setdefault(payment.out_trade_no, told)

    def charge_again(self, payment: Payment) -> Told:
        """A second charge under the same number of ours."""
        first = self.paid[payment.out_trade_no]
        told = replace(first, channel_id=f"{first.channel_id}-2")
        return self.seconds.setdefault(told.channel_id, told)

    def sent_back(self, out_trade_no: str) -> int:
        """Fen that really went back to a payer."""
        return sum(
            told.amount_fen
            for number, told in self.refunds.items()
            if told.state == "succeeded" and self.refund_of[number] == out_trade_no
        )

    def answers(self) -> None:
        """Called when the act is done and the answer is on its way."""
        self.calls += 1
        if self.chance.randrange(100) < self.drop:
            raise ChannelUnavailable("CHANNEL_SILENT", "渠道没有回应。")


BANKS: dict[str, Bank] = {}


def signed(body: Mapping[str, object]) -> tuple[dict[str, str], bytes]:
    raw = json.dumps(body).encode()
    return {"Wechatpay-Signature": hmac.new(_KEY, raw, hashlib.sha256).hexdigest()}, raw


def payment_notice(id_: str, out_trade_no: str, told: Told, **change: object) -> tuple[dict[str, str], bytes]:
    """A notice of a payment as this channel sends it; `change` makes it lie."""
    body = {
        "id": id_,
        "no": out_trade_no,
        "state": told.state,
        "fen": told.amount_fen,
        "channel_id": told.channel_id,
        "at": told.success_at.isoformat() if told.success_at else "",
        "merchant": told.merchant,
    }
    return signed({**body, **change})


@dataclass
class FakeChannel:
    bank: Bank

    def start(self, payment: Payment, openid: str, back: str) -> Started:
        self.bank.started[payment.out_trade_no] = payment.amount_fen
        self.bank.answers()
        return Started("jsapi", {"prepay_id": f"wx{payment.out_trade_no}"})

    def ask(self, payment: Payment) -> Told:
        told = self._of(payment)
        self.bank.answers()
        return told

    def close(self, payment: Payment) -> Told:
        if self._of(payment).state == "waiting":
            self.bank.closed.add(payment.out_trade_no)
        told = self._of(payment)
        self.bank.answers()
        return told

    def refund(self, refund: Refund) -> ToldRefund:
        if self.bank.refuse_refunds:
            raise ChannelRefused("NOT_ENOUGH", "余额不足。")
        state = "abnormal" if self.bank.abnormal else "succeeded"
        fresh = ToldRefund(state, refund.amount_fen, f"F{refund.number}", clock.now(), "")
        self.bank.refund_of[refund.number] = refund.payment.out_trade_no
        told = self.bank.refunds.setdefault(refund.number, fresh)
        self.bank.answers()
        return told

    def ask_refund(self, refund: Refund) -> ToldRefund:
        self.bank.answers()
        return self.bank.refunds.get(refund.number, ToldRefund("missing"))

    def statement(self, day: date, kind: str) -> bytes | None:
        if day in self.bank.late:
            raise ChannelUnavailable("STATEMENT_CREATING", "账单生成中。")
        return self.bank.statements.get((kind, day))

    def confirmed(self, day: date) -> list[Mapping[str, str]]:
        return self.bank.confirmed.get(day, [])

    def confirmation(self, raw: bytes) -> tuple[str, Mapping[str, str]] | None:
        return None

    def read_notice(self, headers: Mapping[str, str], raw: bytes, received_at: datetime) -> Notice:
        right = hmac.new(_KEY, raw, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers.get("wechatpay-signature", ""), right):
            raise NoticeRefused("NOTICE_SIGNATURE", "签名不对。")
        body = json.loads(raw)
        told = Told(
            body["state"],
            body["fen"],
            body["channel_id"],
            datetime.fromisoformat(body["at"]) if body["at"] else None,
            body["merchant"],
        )
        return Notice(body["id"], body["no"], payment=told)

    def answer(self, accepted: bool, raw: bytes) -> tuple[int, bytes, str]:
        return (200, b"success", "text/plain") if accepted else (401, b"fail", "text/plain")

    def _of(self, payment: Payment) -> Told:
        number = payment.out_trade_no
        if payment.asked_id:  # also money of numbers that nobody gave
            return self.bank.seconds.get(payment.asked_id, Told("missing"))
        if number in self.bank.paid:
            return self.bank.paid[number]
        if number in self.bank.closed:
            return Told("closed", word="CLOSED")
        return Told("waiting" if number in self.bank.started else "missing")


def connect(account: ChannelAccount) -> Channel:
    return FakeChannel(BANKS.setdefault(account.code, Bank()))

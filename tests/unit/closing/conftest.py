"""Weeks of a small city: families pay, channels say so, finance reconciles and closes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import transaction

from tests.support.fake_channel import BANKS
from tests.support.statements import Cells, yuan
from tests.unit.payments.conftest import Cashier, cashier, in_memory
from tests.unit.treasury.conftest import confirm, finance, line, statement
from xueka.contexts.closing import api as closing
from xueka.contexts.closing import calling
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.scope import EVERYWHERE

__all__ = ["cashier", "in_memory"]

ONE, OTHER = finance("one"), finance("other")
MONDAY, SUNDAY = date(2026, 9, 7), date(2026, 9, 13)
NEXT = date(2026, 9, 14)
FEN = 2000
_OFFICE: list[calling.PayBack] = []


def at_the_office(refund: payments.Refund) -> payments.ToldRefund:
    return _OFFICE[0](refund)


@dataclass
class Office:
    """Finance at work. `forget` names payments that the channel leaves out of its statements."""

    cashier: Cashier
    settings: Any
    forget: set[str] = field(default_factory=set)

    def paid(self, fen: int = FEN, channel: str = "wechat") -> payments.Payment:
        order = self.cashier.paid(fen, channel)
        [payment] = payments.payments_of(order)
        if channel == "nontax":
            told = BANKS[channel].paid[payment.out_trade_no]
            day = clock.local(told.success_at).date()  # type: ignore[arg-type]
            confirm(payment.out_trade_no, told.channel_id, fen, told.channel_id, day)
        return payment

    @transaction.atomic
    def refund(self, payment: payments.Payment, fen: int, key: str = "") -> payments.Refund:
        return payments.refund(ONE, payment.order_id, fen, "退卡", key or f"k{payment.id}-{fen}")

    def to(self, day: date) -> None:
        """Let it be noon of that day; the sweeps have run meanwhile."""
        payments.sweep()
        self.cashier.time.set(datetime.combine(day, time(12), clock.SHANGHAI))  # type: ignore[attr-defined]
        payments.sweep()

    @transaction.atomic
    def statements(self, monday: date = MONDAY) -> None:
        """What WeChat and Alipay say of each day of a week."""
        for day in (monday + timedelta(days=n) for n in range(7)):
            rows = [*_paid_on(day, self.forget), *_refunded_on(day)]
            treasury.take_statement(ONE, "wechat", "trade", day, statement(rows) if rows else b"")
            treasury.take_statement(ONE, "alipay", "trade", day, b"")

    @transaction.atomic
    def reconcile(self, monday: date = MONDAY) -> treasury.Result:
        return treasury.reconcile(ONE, monday, monday + timedelta(days=6))

    @transaction.atomic
    def sign_breaks(self) -> None:
        for row in treasury.open_breaks(EVERYWHERE).exclude(state="signed"):
            treasury.explain(ONE, row.id, "已与渠道核实")
            treasury.sign_off(OTHER, row.id)

    @transaction.atomic
    def collect(self, monday: date = MONDAY, note: str = "随后补开") -> closing.ReceiptCollection:
        return closing.collect_receipts(ONE, monday, note)

    def ready(self, monday: date = MONDAY) -> None:
        """Everything that must be done before the week can be closed."""
        self.statements(monday)
        self.reconcile(monday)
        self.sign_breaks()
        self.collect(monday)

    @transaction.atomic
    def prepare(self, monday: date = MONDAY) -> closing.Close:
        return closing.prepare(ONE, monday)

    @transaction.atomic
    def sign(self, close: closing.Close) -> closing.Close:
        return closing.sign(OTHER, close.id)

    @transaction.atomic
    def remit(self, close: closing.Close, channel: str = "wechat", slip: str = "") -> closing.Remittance:
        return closing.record_remittance(
            ONE, close.id, channel, slip or f"JK{close.number}{channel}", clock.today()
        )

    def pay_back(self, work: calling.PayBack) -> None:
        """What the finance office does about a 退付."""
        _OFFICE[:] = [work]
        self.settings.BACK_PAYMENTS = f"{__name__}.at_the_office"

    def close(self, monday: date = MONDAY) -> closing.Close:
        """The whole way to the signature."""
        self.ready(monday)
        return self.sign(self.prepare(monday))


def _paid_on(day: date, forget: set[str]) -> list[Cells]:
    return [
        line(number, told.channel_id, told.amount_fen, day)
        for number, told in BANKS["wechat"].paid.items()
        if told.success_at and clock.local(told.success_at).date() == day and number not in forget
    ]


def _refunded_on(day: date) -> list[Cells]:
    bank = BANKS["wechat"]
    return [
        line(bank.refund_of[number], bank.paid[bank.refund_of[number]].channel_id, 0, day)
        | {
            "交易状态": "REFUND",
            "微信退款单号": told.channel_id,
            "商户退款单号": number,
            "退款金额": yuan(told.amount_fen),
            "申请退款金额": yuan(told.amount_fen),
            "退款状态": "SUCCESS",
        }
        for number, told in bank.refunds.items()
        if told.success_at and clock.local(told.success_at).date() == day
    ]


@pytest.fixture
def office(cashier: Cashier, settings: Any) -> Iterator[Office]:
    made = Office(cashier, settings)
    made.pay_back(_silent)
    yield made


def _silent(refund: payments.Refund) -> payments.ToldRefund:
    raise payments.ChannelUnavailable("CHANNEL_SILENT", "没有回应。")


def codes(monday: date = MONDAY) -> list[str]:
    """What stands against signing."""
    return [each.code for each in closing.proposal(EVERYWHERE, monday).blocks]


def refused(work: Callable[[], object]) -> str:
    """The code of the refusal."""
    with pytest.raises(XuekaError) as error, transaction.atomic():
        work()
    return error.value.code

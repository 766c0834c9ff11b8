"""Sequences by chance over orders, payments, refunds and the books: all invariants after every step, and a
refused step leaves everything as it was.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.fake_channel import BANKS
from tests.support.size import dial
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds, open_channels
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.scope import EVERYWHERE

CHANNELS = st.sampled_from(["wechat", "alipay"])
WHICH = st.integers(0, 9)


class Money(RuleBasedStateMachine):
    """Families, channels and finance, each doing at any moment what they may or may not."""

    cashier: Cashier

    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        open_channels()
        self.orders: list[payments.Order] = []
        self.attempts: list[payments.Payment] = []
        self.keys = 0

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.point)

    def tried(self, act: Callable[[], Any]) -> Any:
        """What comes of it; a refusal must leave the books and all states alone."""
        before = self.everything()
        try:
            with transaction.atomic():
                return act()
        except XuekaError:
            assert self.everything() == before
            return None

    def everything(self) -> list[object]:
        return [
            books(),
            list(payments.order_rows(EVERYWHERE).order_by("id").values_list("id", "state")),
            list(payments.payment_rows(EVERYWHERE).order_by("id").values_list("id", "state", "received_fen")),
            list(payments.refund_rows(EVERYWHERE).order_by("id").values_list("id", "state")),
        ]

    def one(self, found: list[Any], which: int) -> Any:
        return found[which % len(found)] if found else None

    @rule(fen=st.integers(1, 5000))
    def order(self, fen: int) -> None:
        if len(self.orders) < 6:
            self.orders.append(self.cashier.order(fen))

    @rule(which=WHICH, channel=CHANNELS, lost=st.booleans())
    def attempt(self, which: int, channel: str, lost: bool) -> None:
        if order := self.one(self.orders, which):
            BANKS[channel].drop = 100 if lost else 0
            try:
                started = payments.pay(SYSTEM, order.id, channel, openid="o")
                self.attempts.append(payments.Payment.objects.get(id=started.payment_id))
            except XuekaError:
                pass
            BANKS[channel].drop = 0

    @rule(which=WHICH, off=st.sampled_from([0, 0, 0, -1, 1, 700]))
    def payer_pays(self, which: int, off: int) -> None:
        if payment := self.one(self.attempts, which):
            BANKS[payment.channel].pay(payment, max(1, payment.amount_fen + off))

    @rule(which=WHICH, lie=st.sampled_from([0, 0, 0, 13]), again=st.booleans())
    def notice(self, which: int, lie: int, again: bool) -> None:
        payment = self.one(self.attempts, which)
        if payment and (told := BANKS[payment.channel].paid.get(payment.out_trade_no)):
            more = {"fen": told.amount_fen + lie} if lie else {}
            self.cashier.notice(payment, f"N{payment.id}{'b' if again else ''}{lie}", **more)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        if order := self.one(self.orders, which):
            self.tried(lambda: payments.cancel_order(SYSTEM, order.id))

    @rule(which=WHICH, fen=st.integers(-5, 6000), same=st.booleans())
    def refund(self, which: int, fen: int, same: bool) -> None:
        if order := self.one(self.orders, which):
            self.keys += 0 if same else 1
            self.tried(lambda: payments.refund(FINANCE, order.id, fen, "x", f"{order.id}:{self.keys}"))

    @rule(which=WHICH)
    def refund_again(self, which: int) -> None:
        failed = list(payments.refund_rows(EVERYWHERE).filter(state="failed").order_by("id"))
        if found := self.one(failed, which):
            self.tried(lambda: payments.refund_again(FINANCE, found.id))

    @rule(refuse=st.booleans(), drop=st.sampled_from([0, 0, 50]))
    def sweep(self, refuse: bool, drop: int) -> None:
        for bank in BANKS.values():
            bank.refuse_refunds, bank.drop = refuse, drop
        payments.sweep()
        for bank in BANKS.values():
            bank.refuse_refunds, bank.drop = False, 0

    @rule(minutes=st.sampled_from([1, 20, 60, 24 * 60]))
    def time_goes_on(self, minutes: int) -> None:
        self.cashier.time.advance(timedelta(minutes=minutes))  # type: ignore[attr-defined]

    @rule()
    def close_the_books(self) -> None:
        self.tried(lambda: ledger.close_period(FINANCE, clock.today() - timedelta(days=1)))

    @invariant()
    def it_holds(self) -> None:
        everything_holds()
        for payment in payments.payment_rows(EVERYWHERE):
            back = BANKS[payment.channel].sent_back(payment.out_trade_no)
            assert back <= (payment.received_fen or 0)


def test_walks_over_money(cashier: Cashier, request: pytest.FixtureRequest) -> None:
    walks, steps = dial((6, 30), (2_000, 100))
    Money.cashier = cashier
    number = 20260907
    print(f"seed {number}, {walks} walks of {steps} steps, order of {FEN} fen")
    run_state_machine_as_test(
        seed(number)(Money),
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""Weeks by chance: payments, refunds, late money, refusals, closes. No fen goes twice, none is lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.fake_channel import BANKS
from tests.support.size import dial
from tests.unit.cards.conftest import NOW, City, build
from tests.unit.closing.conftest import FEN, MONDAY, ONE, Office
from tests.unit.payments.conftest import Cashier, open_channels
from xueka.contexts.closing import api as closing
from xueka.contexts.closing.models import Line
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

EXAMPLES, STEPS = dial((4, 12), (200, 60))


class Weeks(RuleBasedStateMachine):
    """One city for all examples; each is undone at its end."""

    city: City
    settings_of_test: Any

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo._from_testcase = True  # type: ignore[attr-defined]  # durable blocks within are ours
        self.undo.__enter__()
        self.clock = clock.at(NOW)
        time = self.clock.__enter__()
        open_channels()
        cashier = Cashier(self.city)
        cashier.time = time  # type: ignore[attr-defined]
        self.office = Office(cashier, self.settings_of_test)
        self.monday = MONDAY
        self.silent: list[payments.Payment] = []
        self.asked = 0

    def teardown(self) -> None:
        try:
            self.come_to_an_end()
        finally:
            self.clock.__exit__(None, None, None)
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    @rule(fen=st.sampled_from([1500, FEN, 3500]), channel=st.sampled_from(["wechat", "wechat", "nontax"]))
    def pay(self, fen: int, channel: str) -> None:
        self.office.paid(fen, channel)

    @rule()
    def pay_unheard(self) -> None:
        self.silent.append(self.office.cashier.paid_at_channel(self.office.cashier.order()))

    @precondition(lambda self: self.silent)
    @rule()
    def hear(self) -> None:
        self.office.cashier.notice(self.silent.pop())

    @rule(pick=st.integers(0, 99), part=st.integers(1, 4))
    def refund(self, pick: int, part: int) -> None:
        paid = list(payments.payment_rows(EVERYWHERE).filter(credited=True).order_by("id"))
        if not paid:
            return
        payment = paid[pick % len(paid)]
        taken = sum(each.amount_fen for each in payments.refunds_of(payment.order) if each.state != "failed")
        fen = min(payment.amount_fen // part, payment.amount_fen - taken)
        if fen > 0:
            self.asked += 1
            self.office.refund(payment, fen, f"k{self.asked}")

    @rule(refuses=st.booleans(), stalls=st.booleans())
    def the_channel_is(self, refuses: bool, stalls: bool) -> None:
        BANKS["wechat"].refuse_refunds, BANKS["wechat"].abnormal = refuses, stalls

    @rule(days=st.integers(1, 5))
    def days_go_by(self, days: int) -> None:
        self.office.to(clock.today() + timedelta(days=days))

    @precondition(lambda self: clock.today() > self.monday + timedelta(days=6))
    @rule(surprise=st.booleans())
    def close(self, surprise: bool) -> None:
        """`surprise`: a refund is asked for at the last moment, and the channel will refuse it."""
        if surprise:
            BANKS["wechat"].refuse_refunds = True
            self.refund(-1, 2)
        signed = self.office.close(self.monday)
        if signed.state == "signed":
            self.office.remit(signed)
        self.monday += timedelta(days=7)

    @precondition(lambda self: clock.today() > self.monday + timedelta(days=6))
    @rule()
    def prepare_and_leave(self) -> None:
        self.office.ready(self.monday)
        self.office.prepare(self.monday)

    @invariant()
    def everything_holds(self) -> None:
        for each in closing.INVARIANTS:
            found = check(each)
            assert found.violated == 0, found

    def come_to_an_end(self) -> None:
        """Every payment heard of, every refund answered, every week closed: then it all adds up."""
        BANKS["wechat"].refuse_refunds = BANKS["wechat"].abnormal = False
        while self.silent:
            self.hear()
        for each in payments.refund_rows(EVERYWHERE).filter(state="abnormal", way="channel"):
            told = payments.ToldRefund("succeeded", each.amount_fen, f"H{each.number}", clock.now())
            payments.hear_refund(each.id, told)
        self.office.paid()
        self.office.to(clock.today() + timedelta(days=7))
        while clock.today() > self.monday + timedelta(days=6):
            self.close(surprise=True)
        self.office.to(clock.today() + timedelta(days=7))
        while clock.today() > self.monday + timedelta(days=6):
            self.close(surprise=False)
        self.everything_holds()
        lines = {each.payment_id: each for each in Line.objects.all()}
        for payment in payments.payment_rows(EVERYWHERE).filter(credited=True):
            line = lines.pop(payment.id)
            back = sum(
                each.amount_fen
                for each in payment.refunds.filter(source="income", way="channel")
                if each.state == "succeeded"
            )
            merchant = payment.settlement == "merchant"
            assert (line.remit_fen, line.confirmed_fen) == (
                (payment.amount_fen - back, 0) if merchant else (0, payment.amount_fen)
            )
            by_treasury = payment.refunds.filter(source="income", way="payback").exclude(state="failed")
            assert sum(each.amount_fen for each in by_treasury) <= line.remit_fen + line.confirmed_fen
        assert not lines
        remitted = sum(each.amount_fen for each in closing.Remittance.objects.all())
        assert remitted == sum(each.remit_fen for each in Line.objects.all())
        assert closing.check_chain(EVERYWHERE).ok


@pytest.mark.django_db
def test_weeks_by_chance(in_memory: None, settings: Any) -> None:
    with clock.at(NOW):
        Weeks.city = build()
    Weeks.settings_of_test = settings
    assert ONE.username == "one"
    run_state_machine_as_test(
        Weeks,
        settings=hypothesis_settings(),
    )


def hypothesis_settings() -> settings:
    return settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )

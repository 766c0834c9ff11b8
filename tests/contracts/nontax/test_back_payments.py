"""退付 by message 8991 at the finance office's simulator, frame by frame."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.channels_process import Finance
from tests.support.offices import open_account, paid_by_code, process
from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, FINANCE, Cashier, everything_holds
from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

__all__ = ["process"]


@pytest.fixture
def finance(process: Finance, db: None, settings) -> Iterator[Finance]:
    open_account(settings, process.folder, process.card["agency_code"])
    process.dial(refund_seconds=0, refund_refused=0, errors=0)
    yield process
    process.post("clock", now=None)


def paid(finance: Finance) -> payments.Order:
    return paid_by_code(Cashier(build()), finance)


def hurry() -> None:
    closing.BackPayment.objects.exclude(next_try_at=None).update(
        next_try_at=timezone.now() - timedelta(seconds=1)
    )
    closing.sweep()


def test_the_treasury_pays_back(finance: Finance) -> None:
    finance.dial(refund_seconds=3600)
    order = paid(finance)
    made = payments.refund(FINANCE, order.id, 500, "少量退款", "k")
    hurry()
    [row] = closing.back_payments(EVERYWHERE)
    assert (row.state, row.said, row.amount_fen) == ("pending", "已受理", 500)
    finance.post("clock", now=(clock.now() + timedelta(hours=2)).isoformat())
    hurry()
    [row] = closing.back_payments(EVERYWHERE)
    assert (row.refund_number, row.state, row.said) == (made.number, "succeeded", "已退付")
    asked = closing.BackPayment.objects.get().tries
    hurry()
    assert closing.BackPayment.objects.get().tries == asked == 2
    order.refresh_from_db()
    assert order.state == "paid"
    everything_holds()


def test_the_treasury_says_no(finance: Finance) -> None:
    finance.dial(refund_refused=1)
    order = paid(finance)
    payments.refund(FINANCE, order.id, FEN, "x", "k")
    hurry()
    hurry()
    [row] = closing.back_payments(EVERYWHERE)
    assert (row.state, row.said) == ("failed", "不予退付")
    order.refresh_from_db()
    assert order.state == "paid"
    everything_holds()


def test_an_office_that_is_busy_is_asked_again(finance: Finance) -> None:
    order = paid(finance)
    payments.refund(FINANCE, order.id, FEN, "x", "k")
    finance.dial(errors=1)
    hurry()
    [row] = closing.back_payments(EVERYWHERE)
    assert (row.state, row.said) == ("asked", "财政非税平台忙。")
    finance.dial(errors=0)
    hurry()
    [row] = closing.back_payments(EVERYWHERE)
    assert row.state == "succeeded"
    everything_holds()

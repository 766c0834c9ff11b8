"""A payment code at the finance office's simulator, frame by frame."""

import pytest
from django.utils import timezone

from tests.support.channels_process import Finance
from tests.support.offices import open_account, process
from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Payment

__all__ = ["process"]


@pytest.fixture
def finance(process: Finance, db: None, settings) -> Finance:
    open_account(settings, process.folder, process.card["agency_code"])
    return process


def hurry() -> None:
    Payment.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())
    payments.sweep()


def test_a_code_is_paid_and_confirmed(finance: Finance) -> None:
    cashier = Cashier(build())
    order = cashier.order()
    started = payments.pay(SYSTEM, order.id, "nontax")
    code = started.data["pay_code"]
    assert (started.kind, code in started.data["url"]) == ("code", True)
    hurry()
    assert payments.payments_of(order)[0].state == "pending"
    finance.pay_code(code)
    assert finance.deliver() == [200]
    assert finance.get("notices?all=1") == []
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.nontax": FEN, "income": -FEN})
    assert payments.refund(FINANCE, order.id, FEN, "x", "k").way == "payback"
    everything_holds()


def test_a_fine_names_its_own_item(finance: Finance) -> None:
    """The office knows a fine by its item; in the books it waits apart from fees of cost."""
    order = Cashier(build()).order(fine=True)
    code = payments.pay(SYSTEM, order.id, "nontax").data["pay_code"]
    hurry()
    finance.pay_code(code)
    assert finance.deliver() == [200]
    assert books() == {"clearing.nontax": FEN, "fines": -FEN}
    assert [bill["item"] for bill in finance.get("bills") if bill["code"] == code] == ["学生卡罚没收入"]
    everything_holds()


def test_a_cancelled_code_is_void(finance: Finance) -> None:
    cashier = Cashier(build())
    order = cashier.order()
    payments.pay(SYSTEM, order.id, "nontax")
    payments.cancel_order(SYSTEM, order.id)
    hurry()
    assert payments.payments_of(order)[0].state == "closed"


def test_paid_and_never_confirmed_is_found_by_asking(finance: Finance) -> None:
    cashier = Cashier(build())
    order = cashier.order()
    code = payments.pay(SYSTEM, order.id, "nontax").data["pay_code"]
    finance.pay_code(code)
    hurry()
    order.refresh_from_db()
    assert order.state == "paid"

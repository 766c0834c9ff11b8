"""Refunds: bounded, never twice, and every one of them comes to an end that somebody sees."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from tests.support.fake_channel import BANKS, MERCHANT, payment_notice
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds
from tests.unit.payments.test_paying import settle
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Refund, Unknown
from xueka.contexts.payments.services import refunding
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.identity.scope import EVERYWHERE


def test_a_whole_order_back(cashier: Cashier) -> None:
    order = cashier.paid()
    made = payments.refund(FINANCE, order.id, FEN, "制卡前取消", "cancel:1")
    order.refresh_from_db()
    assert (order.state, made.way) == ("refunding", "channel")
    assert books() == {"clearing.wechat": FEN, "refunds": -FEN}
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("refunded", {})
    [_, told] = payments.settled_after(EVERYWHERE, 0)
    assert told.state == "refunded"
    everything_holds()


def test_in_parts_never_more_than_came(cashier: Cashier) -> None:
    order = cashier.paid()
    payments.refund(FINANCE, order.id, 700, "一", "k1")
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.wechat": FEN - 700, "income": 700 - FEN})
    payments.refund(FINANCE, order.id, 1000, "二", "k2")
    with pytest.raises(Refused) as refusal:
        payments.refund(FINANCE, order.id, 301, "三", "k3")
    assert refusal.value.code == "REFUND_TOO_MUCH"
    payments.refund(FINANCE, order.id, 300, "三", "k3")
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("refunded", {})
    everything_holds()


def test_the_database_bounds_refunds_by_itself(cashier: Cashier) -> None:
    order = cashier.paid()
    [payment] = payments.payments_of(order)
    made = payments.refund(FINANCE, order.id, FEN, "x", "k")
    for change in ({"source": "income", "amount_fen": 1}, {"source": "payers", "amount_fen": 1}):
        row = {
            "order": order, "payment": payment, "number": "R-X", "key": "x", "way": "channel", "reason": "x",
            "state": "asked", "state_at": clock.now(), "asked_at": clock.now(), "asked_by": "x",
        }  # fmt: skip
        with pytest.raises(IntegrityError, match="more would go back"), transaction.atomic():
            Refund.objects.create(**row, **change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.filter(id=made.id).update(amount_fen=1)


def test_the_same_key_is_the_same_refund(cashier: Cashier) -> None:
    order = cashier.paid()
    first = payments.refund(FINANCE, order.id, 500, "x", "k")
    assert payments.refund(FINANCE, order.id, 500, "x", "k").id == first.id
    with pytest.raises(Refused) as refusal:
        payments.refund(FINANCE, order.id, 501, "x", "k")
    assert refusal.value.code == "REFUND_KEY_REUSED"
    assert books() == {"clearing.wechat": FEN, "income": 500 - FEN, "refunds": -500}


@pytest.mark.parametrize(
    ("fen", "reason", "error"), [(0, "x", BadInput), (-1, "x", BadInput), (1, " ", BadInput)]
)
def test_what_is_no_refund(cashier: Cashier, fen: int, reason: str, error: type[Exception]) -> None:
    order = cashier.paid()
    with pytest.raises(error):
        payments.refund(FINANCE, order.id, fen, reason, "k")
    with pytest.raises(Refused):
        payments.refund(FINANCE, cashier.order().id, 1, "x", "k")


def test_lost_answers_never_refund_twice(cashier: Cashier) -> None:
    order = cashier.paid()
    [payment] = payments.payments_of(order)
    payments.refund(FINANCE, order.id, FEN, "x", "k")
    BANKS["wechat"].drop = 100
    settle(cashier, 4)
    assert books() == {"clearing.wechat": FEN, "refunds": -FEN}
    BANKS["wechat"].drop = 0
    settle(cashier, 2)
    assert BANKS["wechat"].sent_back(payment.out_trade_no) == FEN
    assert books() == {}
    everything_holds()


def test_a_refused_refund_is_owed_again_and_may_be_asked_for_anew(cashier: Cashier) -> None:
    order = cashier.paid()
    made = payments.refund(FINANCE, order.id, FEN, "x", "k")
    BANKS["wechat"].refuse_refunds = True
    settle(cashier, 1)
    made.refresh_from_db()
    order.refresh_from_db()
    assert (made.state, order.state) == ("failed", "paid")
    assert books() == {"clearing.wechat": FEN, "income": -FEN}
    everything_holds()
    BANKS["wechat"].refuse_refunds = False
    second = payments.refund_again(FINANCE, made.id)
    assert payments.refund_again(FINANCE, made.id).id == second.id
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("refunded", {})
    everything_holds()


def test_a_failed_refund_whose_place_another_has_taken_is_not_asked_for_anew(cashier: Cashier) -> None:
    order = cashier.paid()
    failed = payments.refund(FINANCE, order.id, FEN, "x", "k")
    BANKS["wechat"].refuse_refunds = True
    settle(cashier, 1)
    BANKS["wechat"].refuse_refunds = False
    payments.refund(FINANCE, order.id, 500, "x", "k2")
    with pytest.raises(Refused) as refused:
        payments.refund_again(FINANCE, failed.id)
    assert (refused.value.code, refused.value.expected) == ("REFUND_TOO_MUCH", "最多 ¥15.00")
    settle(cashier, 2)
    with pytest.raises(Refused, match="退款合计"):
        payments.refund_again(FINANCE, failed.id)
    everything_holds()


def test_an_abnormal_refund_waits_for_the_merchant_platform(cashier: Cashier) -> None:
    order = cashier.paid()
    made = payments.refund(FINANCE, order.id, FEN, "x", "k")
    BANKS["wechat"].abnormal = True
    settle(cashier, 2)
    made.refresh_from_db()
    assert (made.state, books()) == ("abnormal", {"clearing.wechat": FEN, "refunds": -FEN})
    told = BANKS["wechat"].refunds[made.number]
    BANKS["wechat"].refunds[made.number] = payments.ToldRefund(
        "succeeded", told.amount_fen, told.channel_id, clock.now()
    )
    settle(cashier, 2)
    assert books() == {}
    everything_holds()


def test_what_reached_the_treasury_comes_back_from_there(cashier: Cashier) -> None:
    """Direct money, and collections after their remittance: 退付, and no channel is asked."""
    direct, collected = cashier.paid(channel="nontax"), cashier.paid()
    [payment] = payments.payments_of(collected)
    assert payments.mark_remitted(FINANCE, [payment.id], "W2026-36") == 1
    assert payments.mark_remitted(FINANCE, [payment.id], "W2026-36") == 1
    with pytest.raises(Refused) as twice:
        payments.mark_remitted(FINANCE, [payment.id], "W2026-37")
    assert twice.value.code == "PAYMENT_NOT_TO_REMIT"
    with pytest.raises(Refused):
        payments.mark_remitted(FINANCE, [each.id for each in payments.payments_of(direct)], "W2026-36")
    made = [payments.refund(FINANCE, order.id, FEN, "x", f"k{order.id}") for order in (direct, collected)]
    assert [each.way for each in made] == ["payback", "payback"]
    settle(cashier, 2)
    assert BANKS["wechat"].refunds == BANKS["nontax"].refunds == {}
    for each in made:
        refunding.hear_refund(each.id, payments.ToldRefund("succeeded", FEN, "TF1", clock.now()))
    assert books()["treasury"] == -2 * FEN
    everything_holds()


def test_a_closed_day_is_not_touched_by_what_comes_late(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.paid_at_channel(order)
    cashier.time.advance(timedelta(days=2))
    ledger.close_period(FINANCE, clock.today() - timedelta(days=1))
    cashier.notice(payment)
    [entry] = ledger.entries_of(EVERYWHERE, payment.out_trade_no)
    assert entry.on == clock.today()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_refund_of_nobody_is_refused(cashier: Cashier) -> None:
    with pytest.raises(Refused):
        payments.refund_again(SYSTEM, payments.refund(FINANCE, cashier.paid().id, 1, "x", "k").id)


def test_a_failed_refund_that_succeeds_after_all(cashier: Cashier) -> None:
    """Told late, and asked for anew by nobody: it has gone back, and the order knows it."""
    order = cashier.paid()
    made = payments.refund(FINANCE, order.id, FEN, "x", "k")
    refunding.hear_refund(made.id, payments.ToldRefund("failed"))
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.wechat": FEN, "income": -FEN})
    told = payments.ToldRefund("succeeded", FEN, "F1", clock.now())
    assert payments.hear_refund(made.id, told)[0] == "applied"
    assert payments.hear_refund(made.id, told)[0] == "repeated"
    order.refresh_from_db()
    made.refresh_from_db()
    assert (order.state, made.state, books()) == ("refunded", "succeeded", {})
    with pytest.raises(Refused):
        payments.refund_again(FINANCE, made.id)
    everything_holds()


def test_a_failed_refund_that_was_asked_for_anew_never_takes_twice(cashier: Cashier) -> None:
    order = cashier.paid()
    made = payments.refund(FINANCE, order.id, FEN, "x", "k")
    refunding.hear_refund(made.id, payments.ToldRefund("failed"))
    second = payments.refund_again(FINANCE, made.id)
    told = payments.ToldRefund("succeeded", FEN, "F1", clock.now())
    assert payments.hear_refund(made.id, told)[0] == "held"
    assert payments.hear_refund(second.id, told)[0] == "applied"
    assert payments.hear_refund(made.id, told)[0] == "held"
    assert books() == {}
    with pytest.raises(IntegrityError, match="more would go back"), transaction.atomic():
        Refund.objects.filter(id=made.id).update(state="succeeded", success_at=clock.now())
    everything_holds()


def test_money_of_nobody_is_asked_for_before_it_is_booked(cashier: Cashier) -> None:
    stranger = payments.Told("succeeded", 900, "T-nobody", clock.now(), MERCHANT)
    lie = payments.Told("succeeded", 999_900, "T-lie", clock.now(), MERCHANT)
    for told in (stranger, lie):
        payments.take_notice("wechat", *payment_notice(f"N{told.channel_id}", "XKNOBODYS1", told))
    assert books() == {}
    BANKS["wechat"].seconds["T-nobody"] = stranger
    BANKS["wechat"].drop = 100
    payments.sweep()
    assert books() == {}
    BANKS["wechat"].drop = 0
    settle(cashier, 2)
    assert books() == {"clearing.wechat": 900, "breaks": -900}
    assert {(each.channel_id, each.state) for each in Unknown.objects.all()} == {
        ("T-nobody", "booked"),
        ("T-lie", "denied"),
    }
    everything_holds()

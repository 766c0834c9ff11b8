"""Orders, attempts and notices: what settles an order, and what becomes of money that does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import fake_channel
from tests.support.fake_channel import BANKS
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Notice
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope


def settle(cashier: Cashier, rounds: int = 6) -> None:
    """The sweeps, with time between their rounds."""
    for _ in range(rounds):
        payments.sweep()
        cashier.time.advance(timedelta(minutes=40))


def test_a_paid_order_is_in_the_books(cashier: Cashier) -> None:
    order = cashier.paid()
    [payment] = payments.payments_of(order)
    assert (payment.state, payment.credited, payment.received_fen, payment.stray_fen) == (
        "succeeded",
        True,
        FEN,
        0,
    )
    assert order.success_at == payment.success_at
    assert books() == {"clearing.wechat": FEN, "income": -FEN}
    assert books(order.number) == {"income": -FEN}
    payments.sweep()
    [told] = payments.settled_after(EVERYWHERE, 0)
    assert (told.seq, told.order_id, told.subject, told.state) == (1, order.id, order.subject, "paid")
    assert payments.settled_after(EVERYWHERE, told.seq) == []
    everything_holds()


def test_the_same_notice_any_number_of_times(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.paid_at_channel(order)
    assert [cashier.notice(payment)[0] for _ in range(3)] == [200] * 3
    cashier.notice(payment, "another-id")
    assert books() == {"clearing.wechat": FEN, "income": -FEN}
    assert list(Notice.objects.values_list("times", "outcome")) == [(3, "applied"), (1, "repeated")]
    everything_holds()


def test_a_forged_notice_changes_nothing(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.attempt(order)
    told = BANKS["wechat"].pay(payment)
    BANKS["wechat"].paid.clear()
    headers, raw = fake_channel.payment_notice("N1", payment.out_trade_no, told)
    status, _, _ = payments.take_notice("wechat", headers, raw.replace(b"2000", b"2001"))
    assert status == 401
    order.refresh_from_db()
    assert (order.state, books()) == ("open", {})
    assert payments.notice_outcomes(EVERYWHERE) == {"refused": 1}


def test_another_merchants_money_is_not_ours(cashier: Cashier) -> None:
    payment = cashier.paid_at_channel(cashier.order())
    cashier.notice(payment, merchant="M-OTHER")
    assert (payments.notice_outcomes(EVERYWHERE), books()) == ({"foreign": 1}, {})


@pytest.mark.parametrize("fen", [1, FEN - 1, FEN + 1, FEN * 10])
def test_a_notice_of_another_amount_is_asked_about_first(cashier: Cashier, fen: int) -> None:
    order = cashier.order()
    payment = cashier.paid_at_channel(order)
    cashier.notice(payment, fen=fen)
    payment.refresh_from_db()
    assert (payment.state, books()) == ("unknown", {})
    payments.sweep()
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.wechat": FEN, "income": -FEN})
    everything_holds()


def test_too_little_goes_back_whole(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.paid_at_channel(order, FEN - 1)
    cashier.notice(payment)
    settle(cashier)
    payment.refresh_from_db()
    assert (payment.stray, payment.stray_fen, payment.credited) == ("short", FEN - 1, False)
    order.refresh_from_db()
    assert (order.state, books()) == ("expired", {})
    assert BANKS["wechat"].sent_back(payment.out_trade_no) == FEN - 1
    everything_holds()


def test_the_surplus_goes_back(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.paid_at_channel(order, FEN + 30)
    cashier.notice(payment)
    settle(cashier)
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.wechat": FEN, "income": -FEN})
    assert BANKS["wechat"].sent_back(payment.out_trade_no) == 30
    everything_holds()


def test_paid_at_two_channels(cashier: Cashier) -> None:
    order = cashier.order()
    first, second = cashier.paid_at_channel(order), cashier.paid_at_channel(order, channel="alipay")
    cashier.notice(second)
    cashier.notice(first)
    settle(cashier)
    first.refresh_from_db()
    assert (first.stray, first.stray_fen) == ("double", FEN)
    assert books() == {"clearing.alipay": FEN, "income": -FEN}
    assert BANKS["wechat"].sent_back(first.out_trade_no) == FEN
    everything_holds()


def test_charged_twice_under_one_number(cashier: Cashier) -> None:
    order = cashier.paid()
    [payment] = payments.payments_of(order)
    told = BANKS["wechat"].charge_again(payment)
    for id_ in ("N2", "N2", "N3"):
        headers, raw = fake_channel.payment_notice(id_, payment.out_trade_no, told)
        payments.take_notice("wechat", headers, raw)
    settle(cashier)
    _, second = payments.payments_of(order)
    assert (second.asked_id, second.channel_id, second.stray) == (told.channel_id, told.channel_id, "double")
    assert books() == {"clearing.wechat": FEN, "income": -FEN}
    assert BANKS["wechat"].sent_back(second.out_trade_no) == FEN
    everything_holds()


def test_paid_after_the_order_was_cancelled(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.attempt(order)
    payments.cancel_order(SYSTEM, order.id)
    BANKS["wechat"].pay(payment)
    cashier.notice(payment)
    settle(cashier)
    payment.refresh_from_db()
    assert (payment.stray, books()) == ("late", {})
    assert BANKS["wechat"].sent_back(payment.out_trade_no) == FEN
    everything_holds()


def test_paid_in_time_and_never_told_is_not_expired(cashier: Cashier) -> None:
    order = cashier.order()
    cashier.paid_at_channel(order)
    cashier.time.advance(timedelta(hours=2))
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.wechat": FEN, "income": -FEN})
    everything_holds()


def test_unpaid_ends_at_the_channel_and_then_here(cashier: Cashier) -> None:
    order = cashier.order()
    payment = cashier.attempt(order)
    cashier.time.advance(timedelta(hours=2))
    settle(cashier, 2)
    payment.refresh_from_db()
    order.refresh_from_db()
    assert (payment.state, order.state) == ("closed", "expired")
    assert payment.out_trade_no in BANKS["wechat"].closed
    BANKS["wechat"].pay(payment)  # closed, and charged all the same
    cashier.notice(payment)
    settle(cashier)
    payment.refresh_from_db()
    assert (payment.state, payment.stray, books()) == ("succeeded", "late", {})
    everything_holds()


def test_money_under_a_number_that_we_never_gave(cashier: Cashier) -> None:
    """Nothing is believed before the channel has been asked; what it does not know never comes in."""
    payment = cashier.paid_at_channel(cashier.order())
    told = replace(BANKS["wechat"].paid[payment.out_trade_no], channel_id="T-nobody")
    BANKS["wechat"].seconds[told.channel_id] = told
    lie = replace(told, channel_id="T-lie")
    for id_, each in (("N1", told), ("N2", told), ("N3", lie)):
        headers, raw = fake_channel.payment_notice(id_, "SOMEBODY", each)
        assert payments.take_notice("wechat", headers, raw)[0] == 200
    assert books() == {}
    payments.sweep()
    assert books() == {"clearing.wechat": FEN, "breaks": -FEN}
    assert books("SOMEBODY") == books()
    everything_holds()


def test_the_page_that_is_opened_again_goes_on_with_the_same_attempt(cashier: Cashier) -> None:
    order = cashier.order()
    first = payments.pay(SYSTEM, order.id, "wechat", openid="o1")
    assert payments.pay(SYSTEM, order.id, "wechat", openid="o1") == first
    assert (first.kind, len(payments.payments_of(order))) == ("jsapi", 1)


def test_a_silent_channel_is_asked_until_it_answers(cashier: Cashier) -> None:
    order = cashier.order()
    BANKS["wechat"].drop = 100
    with pytest.raises(Refused) as silent:
        payments.pay(SYSTEM, order.id, "wechat", openid="o1")
    assert silent.value.code == "CHANNEL_SILENT"
    [payment] = payments.payments_of(order)
    assert payment.state == "unknown"
    BANKS["wechat"].pay(payment)
    settle(cashier, 2)
    payment.refresh_from_db()
    assert (payment.state, payment.tries > 0) == ("unknown", True)
    BANKS["wechat"].drop = 0
    settle(cashier, 2)
    order.refresh_from_db()
    assert (order.state, books()) == ("paid", {"clearing.wechat": FEN, "income": -FEN})
    everything_holds()


@pytest.mark.parametrize("fen", [0, -1, 10_000_001, 20.0, True])
def test_an_amount_must_be_one(cashier: Cashier, fen: int) -> None:
    with pytest.raises(BadInput) as refusal:
        cashier.order(fen)
    assert refusal.value.code == "ORDER_AMOUNT"


def test_one_live_order_for_one_thing(cashier: Cashier) -> None:
    order = cashier.order()
    same = {"student_id": order.student_id, "subject": order.subject, "title": "x", "tariff": ""}
    assert payments.create_order(SYSTEM, amount_fen=FEN, **same).id == order.id
    with pytest.raises(Refused) as refusal:
        payments.create_order(SYSTEM, amount_fen=FEN + 1, **same)
    assert refusal.value.code == "ORDER_EXISTS"
    payments.cancel_order(SYSTEM, order.id)
    assert payments.create_order(SYSTEM, amount_fen=FEN, **same).number != order.number


def test_what_may_no_longer_be_paid(cashier: Cashier) -> None:
    paid, late = cashier.paid(), cashier.order()
    with pytest.raises(Refused) as refusal:
        payments.pay(SYSTEM, paid.id, "wechat")
    assert refusal.value.code == "ORDER_NOT_OPEN"
    with pytest.raises(Refused) as unknown:
        payments.pay(SYSTEM, late.id, "unionpay")
    assert unknown.value.code == "CHANNEL_CLOSED"
    with pytest.raises(Refused):
        payments.cancel_order(SYSTEM, paid.id)
    cashier.time.advance(timedelta(minutes=30))
    with pytest.raises(Refused) as overdue:
        payments.pay(SYSTEM, late.id, "wechat")
    assert overdue.value.code == "ORDER_OVERDUE"


def test_strangers_see_no_order(cashier: Cashier) -> None:
    order = cashier.paid()
    other = cashier.city.other_officer
    with pytest.raises(NotFound):
        payments.order(other.scope, order.number)
    with pytest.raises(NotFound):
        payments.cancel_order(other, order.id)
    assert payments.order(cashier.city.officer.scope, order.number).id == order.id
    mother = Scope("guardian", children=frozenset([order.student_id]))
    stranger = Scope("guardian", children=frozenset([order.student_id + 1]))
    assert [each.id for each in payments.orders_of(mother, order.student_id)] == [order.id]
    assert payments.orders_of(stranger, order.student_id) == []
    with pytest.raises(Forbidden):
        payments.refund(cashier.city.officer, order.id, 1, "x", "k")
    with pytest.raises(Forbidden):
        payments.cancel_order(FINANCE, cashier.order().id)
    nobody = Actor.in_role("x", "x", "auditor", Scope("city"))
    with pytest.raises(Forbidden):
        payments.pay(nobody, order.id, "wechat")


def test_an_unknown_channel_and_too_large_a_notice(cashier: Cashier) -> None:
    with pytest.raises(NotFound):
        payments.take_notice("cash", {}, b"{}")
    with pytest.raises(Refused) as refusal:
        payments.take_notice("wechat", {}, b"x" * (payments.NOTICE_LIMIT + 1))
    assert refusal.value.code == "NOTICE_TOO_LARGE"
    assert not Notice.objects.exists()


def test_numbers_fit_every_channel(cashier: Cashier) -> None:
    order = cashier.order()
    wechat = cashier.attempt(order)
    code = cashier.attempt(order, "nontax").out_trade_no
    assert len(order.number) == 18
    for number in (order.number, wechat.out_trade_no):
        assert number.isalnum() and number.isascii() and 8 <= len(number) <= 32
    assert len(code) == 20 and code.isdigit() and code[6:10] == f"{clock.today():%y}30"

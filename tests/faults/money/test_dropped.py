"""A fifth of what channels answer is lost, notices too; all ends, nothing goes back twice."""

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import transaction

from tests.faults.money.town import Town, come_to_an_end
from tests.support.fake_channel import BANKS
from tests.support.size import dial
from tests.unit.cards.conftest import NOW, build
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds, open_channels
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db(transaction=True)

SEED, ORDERS, DROP = 20261126, dial(25, 2_000), 20


def test_a_fifth_of_all_answers_is_lost(in_memory: None) -> None:
    print(f"seed {SEED}, {ORDERS} orders, {DROP} % dropped")
    chance = random.Random(SEED)
    with clock.at(NOW) as time:
        open_channels()
        cashier, town = Cashier(build()), Town(time)
        for bank in BANKS.values():
            bank.drop, bank.chance = DROP, random.Random(chance.randrange(10**9))
        asked = dict[int, int]()
        for _ in range(ORDERS):
            order = cashier.order()
            for _ in range(chance.choice([1, 1, 1, 2])):
                _pays(cashier, order, chance)
            if chance.randrange(10) == 0:
                with transaction.atomic():
                    order.refresh_from_db()
                    if order.state == "open":
                        payments.cancel_order(SYSTEM, order.id)
            if chance.randrange(20) == 0:
                payments.sweep()
                time.advance(timedelta(seconds=chance.randrange(240)))
        come_to_an_end(town)
        for order in payments.order_rows(EVERYWHERE).filter(state="paid").order_by("id"):
            if chance.randrange(2):
                asked[order.id] = chance.choice([FEN, FEN, 1, FEN // 2])
                with transaction.atomic():
                    payments.refund(FINANCE, order.id, asked[order.id], "x", f"{order.id}")
        come_to_an_end(town)
        _judge(asked)


def _pays(cashier: Cashier, order: payments.Order, chance: random.Random) -> None:
    """A payer begins, perhaps hears nothing, perhaps pays all the same; its notice may be lost."""
    channel = chance.choice(["wechat", "alipay"])
    with suppress(XuekaError):
        payments.pay(SYSTEM, order.id, channel, openid="o")
    attempt = payments.payment_rows(EVERYWHERE).filter(order=order, channel=channel).order_by("-id").first()
    if attempt and chance.randrange(5):
        BANKS[channel].pay(attempt, chance.choice([FEN] * 30 + [1, FEN + 1]))
        if chance.randrange(100) >= DROP:
            cashier.notice(attempt)


def _judge(asked: dict[int, int]) -> None:
    """Every fen that a channel took is the order's or went back; never more than that."""
    assert sum(bank.calls for bank in BANKS.values()) > ORDERS
    for payment in payments.payment_rows(EVERYWHERE).select_related("order"):
        bank = BANKS[payment.channel]
        taken = bank.paid[payment.out_trade_no].amount_fen if payment.out_trade_no in bank.paid else 0
        assert (payment.received_fen or 0) == taken, payment.out_trade_no
        kept = FEN - asked.get(payment.order_id, 0) if payment.credited else 0
        assert bank.sent_back(payment.out_trade_no) == taken - kept, payment.out_trade_no
    assert books().get("payers", 0) == books().get("refunds", 0) == 0 == sum(books().values())
    everything_holds()

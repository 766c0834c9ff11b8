"""Notices in storms: repeated, shuffled, late, lying, forged; the books end as if there had been none."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

from tests.support import fake_channel
from tests.support.fake_channel import BANKS
from tests.support.size import dial
from tests.unit.cards.conftest import NOW, build
from tests.unit.payments.conftest import FEN, SYSTEM, Cashier, books, everything_holds, open_channels
from xueka.contexts.ledger.models import Posting
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cashier(transactional_db: None, settings) -> Iterator[Cashier]:
    settings.PAYMENT_CHANNELS = dict.fromkeys(
        ("wechat", "alipay", "nontax"), "tests.support.fake_channel.connect"
    )
    with clock.at(NOW) as time:
        open_channels()
        made = Cashier(build())
        made.time = time  # type: ignore[attr-defined]
        yield made


Delivery = tuple[str, dict[str, str], bytes]


def _storm(cashier: Cashier, chance: random.Random, orders: int, notices: int) -> list[Delivery]:
    """Notices of these orders: 30 % repeated, 5 % of orders closed before, 2 % a wrong amount, 1 % forged."""
    made: list[Delivery] = []
    for _ in range(orders):
        channel = chance.choice(["wechat", "alipay"])
        payment = cashier.attempt(cashier.order(), channel)
        if chance.randrange(100) < 5:
            with transaction.atomic():
                payments.cancel_order(SYSTEM, payment.order_id)
        told = BANKS[channel].pay(payment)
        made.append((channel, *fake_channel.payment_notice(f"N{payment.id}", payment.out_trade_no, told)))
    first = list(made)
    while len(made) < notices:
        channel, headers, raw = chance.choice(first)
        kind = chance.randrange(100)
        if kind < 3:  # of all that come beside the first ones
            made.append((channel, headers, raw.replace(b'"fen": 2000', b'"fen": 9000')))
        elif kind < 10:
            body = fake_channel.json.loads(raw)
            wrong = {**body, "id": f"{body['id']}-w", "fen": chance.choice([1, 1999, 2001, 20000])}
            made.append((channel, *fake_channel.signed(wrong)))
        else:
            made.append((channel, headers, raw))
    chance.shuffle(made)
    return made


def _calm(cashier: Cashier) -> None:
    """Sweeps until nothing is left to do."""
    for _ in range(40):
        payments.sweep()
        open_ = payments.payment_rows(EVERYWHERE).filter(state__in=payments.UNDECIDED).exists()
        if (
            not open_
            and not payments.refund_rows(EVERYWHERE).filter(state__in=payments.REFUND_UNDECIDED).exists()
        ):
            return
        cashier.time.advance(timedelta(minutes=31))
    raise AssertionError("something never comes to an end")


@pytest.mark.parametrize("seed", dial([1], [1, 2, 3, 4]))
def test_a_storm_of_notices(cashier: Cashier, seed: int) -> None:
    """Check 2 of the reliability list, in one process that nobody kills."""
    orders, notices = dial((40, 200), (5_000, 25_000))
    print(f"seed {seed}, {orders} orders, {notices} notices")
    for channel, headers, raw in _storm(cashier, random.Random(seed), orders, notices):
        payments.take_notice(channel, headers, raw)
    _calm(cashier)
    found = payments.order_rows(EVERYWHERE)
    states = Counter(found.values_list("state", flat=True))
    assert set(states) <= {"paid", "closed"} and sum(states.values()) == orders
    assert sum(books().values()) == 0 and "payers" not in books() and "refunds" not in books()
    assert -books()["income"] == FEN * states["paid"]
    for payment in payments.payment_rows(EVERYWHERE).select_related("order"):
        back = BANKS[payment.channel].sent_back(payment.out_trade_no)
        assert back == (0 if payment.order.state == "paid" else FEN), payment.out_trade_no
    outcomes = payments.notice_outcomes(EVERYWHERE)
    print(dict(states), outcomes)
    assert "" not in outcomes and outcomes["applied"] >= orders
    everything_holds()


def test_one_notice_from_fifty_threads(cashier: Cashier) -> None:
    """Check 3: however many bring it at once, it is posted once."""
    orders, threads = dial((4, 20), (1_000, 50))
    notices = []
    for _ in range(orders):
        payment = cashier.attempt(cashier.order())
        told = BANKS["wechat"].pay(payment)
        notices.append(fake_channel.payment_notice(f"N{payment.id}", payment.out_trade_no, told))

    def bring(notice: tuple[dict[str, str], bytes]) -> int:
        try:
            return payments.take_notice("wechat", *notice)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        for notice in notices:
            waiting = [pool.submit(copy_context().run, bring, notice) for _ in range(threads)]
            assert {each.result() for each in waiting} == {200}
    assert Posting.objects.filter(account="clearing.wechat").count() == orders
    assert books() == {"clearing.wechat": FEN * orders, "income": -FEN * orders}
    assert connection.is_usable()
    everything_holds()

"""However many bring one notice at once, it is posted once."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier

import pytest
from django.db import connections

from tests.faults.money.town import found
from tests.support import fake_channel
from tests.support.fake_channel import BANKS
from tests.support.size import dial
from tests.unit.cards.conftest import NOW
from tests.unit.payments.conftest import FEN, books, everything_holds
from xueka.contexts.ledger.models import Posting
from xueka.contexts.payments import api as payments
from xueka.kernel import clock

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS, THREADS = dial((6, 20), (1_000, 50))


def test_one_notice_from_many_threads(in_memory: None) -> None:
    print(f"{ORDERS} orders, {THREADS} threads")
    with clock.at(NOW) as time:
        notices = []
        for payment in found(time, ORDERS).attempts:
            told = BANKS[payment.channel].pay(payment)
            made = fake_channel.payment_notice(f"N{payment.id}", payment.out_trade_no, told)
            notices.append((payment.channel, *made))
        together = Barrier(THREADS)

        def bring() -> list[int]:
            answered = []
            try:
                for notice in notices:
                    together.wait(60)
                    answered.append(payments.take_notice(*notice)[0])
                return answered
            finally:
                connections.close_all()

        with ThreadPoolExecutor(THREADS) as pool:
            waiting = [pool.submit(copy_context().run, bring) for _ in range(THREADS)]
            assert all(each.result() == [200] * ORDERS for each in waiting)
        clearing = Posting.objects.filter(account__startswith="clearing.")
        assert clearing.count() == clearing.values("reference").distinct().count() == ORDERS
        assert sum(books().values()) == 0 and books()["income"] == -FEN * ORDERS
        assert set(payments.Notice.objects.values_list("times", flat=True)) == {THREADS}
        everything_holds()

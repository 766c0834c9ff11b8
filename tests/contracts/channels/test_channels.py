"""Our adapters and the channels' simulator, written by different people from one document, over HTTP."""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.channels_process import Simulator, running
from tests.unit.cards.conftest import build
from tests.unit.payments.conftest import FEN, FINANCE, SYSTEM, Cashier, books, everything_holds
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Payment, Refund
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.identity.scope import EVERYWHERE

BOTH = pytest.mark.parametrize("channel", ["wechat", "alipay"])


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running(tmp_path_factory.mktemp("channels")) as simulator:
        yield simulator


@pytest.fixture
def sim(process: Simulator, db: None, settings) -> Simulator:
    settings.CHANNEL_PARTNER = process.folder / "partner.json"
    process.dial(preset="none")
    process.forget_notices()
    payments.introduce(SYSTEM, "http://127.0.0.1:9")
    return process


@pytest.fixture
def cashier(sim: Simulator) -> Cashier:
    return Cashier(build())


def attempt(sim: Simulator, cashier: Cashier, channel: str) -> Payment:
    """The payer is on the pay page."""
    started = payments.pay(SYSTEM, cashier.order().id, channel, openid="o-1")
    if started.kind == "redirect":
        assert sim.open_page(started.data["url"]) == 200
    return Payment.objects.select_related("order").get(id=started.payment_id)


def hurry() -> None:
    """Whatever waits is due now; the channels keep their own time, so ours may not be moved."""
    now = timezone.now()
    Payment.objects.exclude(next_try_at=None).update(next_try_at=now)
    Refund.objects.exclude(next_try_at=None).update(next_try_at=now)
    payments.sweep()


def refunded(sim: Simulator) -> None:
    """A refund of the channel takes a moment there."""
    hurry()
    time.sleep(2.2)
    sim.deliver()
    hurry()
    hurry()


@BOTH
def test_paid_and_told(sim: Simulator, cashier: Cashier, channel: str) -> None:
    payment = attempt(sim, cashier, channel)
    told = sim.pay(payment)
    assert set(sim.deliver()) <= {200, 204}
    payment.refresh_from_db()
    assert (payment.state, payment.channel_id, payment.received_fen) == ("succeeded", told["channel_id"], FEN)
    assert books() == {f"clearing.{channel}": FEN, "income": -FEN}
    everything_holds()


@BOTH
def test_paid_and_never_told(sim: Simulator, cashier: Cashier, channel: str) -> None:
    payment = attempt(sim, cashier, channel)
    hurry()
    payment.refresh_from_db()
    assert payment.state == "pending"
    sim.post("trouble", channel=channel, out_trade_no=payment.out_trade_no, kind="notice_lost")
    sim.pay(payment)
    hurry()
    payment.order.refresh_from_db()
    assert payment.order.state == "paid"


@BOTH
def test_refunds_in_parts(sim: Simulator, cashier: Cashier, channel: str) -> None:
    payment = attempt(sim, cashier, channel)
    sim.pay(payment)
    sim.deliver()
    for part, fen in enumerate((500, FEN - 500)):
        payments.refund(FINANCE, payment.order_id, fen, "制卡前取消", f"{payment.order_id}:{part}")
        refunded(sim)
    payment.order.refresh_from_db()
    assert [refund.state for refund in payments.refunds_of(payment.order)] == ["succeeded"] * 2
    assert (payment.order.state, books()) == ("refunded", {})
    everything_holds()


@BOTH
def test_cancelled_is_closed_there_and_paid_all_the_same_goes_back(
    sim: Simulator, cashier: Cashier, channel: str
) -> None:
    payment = attempt(sim, cashier, channel)
    payments.cancel_order(SYSTEM, payment.order_id)
    hurry()
    payment.refresh_from_db()
    assert payment.state == "closed"
    sim.pay(payment, force=True)
    sim.deliver()
    refunded(sim)
    payment.refresh_from_db()
    assert (payment.state, payment.stray, books()) == ("succeeded", "late", {})
    everything_holds()


@BOTH
@pytest.mark.parametrize("kind", ["wrong_amount", "forged", "duplicate"])
def test_troubles_of_notices(sim: Simulator, cashier: Cashier, channel: str, kind: str) -> None:
    payment = attempt(sim, cashier, channel)
    sim.post("trouble", channel=channel, out_trade_no=payment.out_trade_no, kind=kind)
    sim.pay(payment)
    sim.deliver()
    hurry()
    payment.order.refresh_from_db()
    assert payment.order.state == "paid"
    assert books() == {f"clearing.{channel}": FEN, "income": -FEN}
    outcomes = payments.notice_outcomes(EVERYWHERE)
    assert (kind != "wrong_amount") or outcomes.get("held")
    assert (kind != "forged") or outcomes.get("refused")
    everything_holds()


@BOTH
def test_charged_twice_under_one_number(sim: Simulator, cashier: Cashier, channel: str) -> None:
    payment = attempt(sim, cashier, channel)
    sim.pay(payment)
    sim.post("trouble", channel=channel, out_trade_no=payment.out_trade_no, kind="double_pay")
    sim.pay(payment)
    sim.deliver()
    hurry()
    refunded(sim)
    first, second = payments.payments_of(payment.order)
    assert (first.credited, second.stray) == (True, "double")
    assert books() == {f"clearing.{channel}": FEN, "income": -FEN}
    everything_holds()


@BOTH
def test_a_refund_that_the_channel_cannot_make(sim: Simulator, cashier: Cashier, channel: str) -> None:
    payment = attempt(sim, cashier, channel)
    sim.pay(payment)
    sim.deliver()
    sim.post("trouble", channel=channel, out_trade_no=payment.out_trade_no, kind="refund_abnormal")
    made = payments.refund(FINANCE, payment.order_id, FEN, "x", f"{payment.order_id}")
    refunded(sim)
    made.refresh_from_db()
    assert made.state == {"wechat": "abnormal", "alipay": "failed"}[channel]
    everything_holds()


def test_answers_that_are_lost(sim: Simulator, cashier: Cashier) -> None:
    """Every second call loses its answer, after the work or before: all comes to an end, nothing twice."""
    sim.dial(drop=0.5, errors=0.1)
    orders = [cashier.order() for _ in range(4)]
    for order in orders:
        known: set[str] = set()
        while not known:  # a question that was lost before its work is asked again
            with contextlib.suppress(Refused):
                payments.pay(SYSTEM, order.id, "wechat", openid="o")
            [payment] = payments.payments_of(order)
            known = {each["number"] for each in sim.get("orders")} & {payment.out_trade_no}
        sim.pay(payment)
    for _ in range(30):
        hurry()
        if not Payment.objects.exclude(state="succeeded").exists():
            break
    for order in orders:
        payments.refund(FINANCE, order.id, FEN, "x", f"{order.id}")
    for _ in range(8):
        refunded(sim)
        if not Refund.objects.exclude(state="succeeded").exists():
            break
    sim.dial(preset="none")
    refunded(sim)
    assert {order.state for order in payments.orders(EVERYWHERE, [each.id for each in orders]).values()} == {
        "refunded"
    }
    back = [each for each in sim.get("refunds") if each["out_refund_no"].startswith("XK")]
    assert len({each["out_refund_no"] for each in back}) == len(back)
    assert books() == {}
    everything_holds()


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
def test_a_day_without_movement_has_no_statement(sim: Simulator, cashier: Cashier, channel: str) -> None:
    long_ago = clock.today() - timedelta(days=40)
    assert payments.statement(channel, long_ago, "trade") is None


def test_a_statement_of_two_days_ago(sim: Simulator, cashier: Cashier) -> None:
    payment = attempt(sim, cashier, "wechat")
    before = clock.local(clock.now() - timedelta(days=2)).replace(hour=12)  # yesterday's comes at ten
    sim.pay(payment, at=before.isoformat())
    content = payments.statement("wechat", before.date(), "trade")
    assert content is None or payment.out_trade_no in content.decode()

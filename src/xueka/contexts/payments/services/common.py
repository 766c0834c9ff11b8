"""What the services of this context share: locks in one order (order, payment, refund), days of the books."""

from datetime import date, datetime, timedelta

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments.models import ChannelAccount, Order, Payment, Refund
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.actor import Actor

#: Whose acts follow from what a channel says; nobody's decision.
WORKER = Actor.system("payments")
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 1800  # seconds


def locked_order(actor: Actor, order_id: int) -> Order:
    """The order, locked to the end of the transaction; NotFound for strangers too."""
    found = Order.objects.visible_to(actor.scope).select_for_update(of=("self",)).filter(id=order_id).first()
    if found is None:
        raise NotFound("ORDER_NOT_FOUND", "没有这张缴费订单。", found=order_id)
    return found


def owed_to_treasury(order: Order) -> str:
    """The account where what a family has paid waits for the treasury."""
    return ledger.FINES if order.fine else ledger.INCOME


def locked_payment(payment_id: int) -> tuple[Order, Payment]:
    """A payment with its order, both locked, the order first."""
    order_id = Payment.objects.values_list("order_id", flat=True).get(id=payment_id)
    order = Order.objects.select_for_update().get(id=order_id)
    return order, Payment.objects.select_for_update().get(id=payment_id)


def locked_refund(refund_id: int) -> tuple[Order, Payment, Refund]:
    """A refund with its payment and order, all locked."""
    payment_id = Refund.objects.values_list("payment_id", flat=True).get(id=refund_id)
    order, payment = locked_payment(payment_id)
    return order, payment, Refund.objects.select_for_update().get(id=refund_id)


def open_account(channel: str) -> ChannelAccount:
    """Our account at a channel. Raises Refused `CHANNEL_CLOSED` where there is none in use."""
    found = ChannelAccount.objects.filter(code=channel, is_open=True).first()
    if found is None:
        raise Refused(
            "CHANNEL_CLOSED", "这种缴费方式现在不能用。", found=channel[:16], action="请换一种缴费方式。"
        )
    return found


def day_in_books(moment: datetime) -> date:
    """The day of an event in the books: its own in Shanghai, or the first one that is still open."""
    return ledger.open_day(clock.local(moment).date())


def pause_after(tries: int) -> timedelta:
    """How long until a channel is asked again: twice as long each time, at most half an hour."""
    return timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(tries, 16), _LONGEST_PAUSE))

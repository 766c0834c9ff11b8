"""Orders: made, cancelled, expired."""

from datetime import timedelta

from django.conf import settings
from django.db import connection

from xueka.contexts.payments.domain import numbers
from xueka.contexts.payments.domain.transitions import (
    CLOSED,
    EXPIRED,
    OPEN,
    ORDER,
    PAID,
    REFUNDING,
    UNDECIDED,
)
from xueka.contexts.payments.models import LARGEST_FEN, Order, Payment, Settled
from xueka.contexts.payments.services.common import WORKER, locked_order
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.money import format_yuan
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_PAY = "school:order:pay"


def create_order(
    actor: Actor,
    *,
    student_id: int,
    subject: str,
    title: str,
    amount_fen: int,
    tariff: str,
    fine: bool = False,
) -> Order:
    """What a family is to pay, within `settings.PAYMENTS_ORDER_MINUTES`.

    The same live order of a subject again is the same one. Raises NotFound for a student outside the scope,
    BadInput `ORDER_AMOUNT`, Refused `ORDER_EXISTS` where the subject has a live order of another
    amount or kind.
    """
    actor.require(_PAY)
    student = registry.student(actor.scope, student_id)
    if type(amount_fen) is not int or not 0 < amount_fen <= LARGEST_FEN:
        raise BadInput(
            "ORDER_AMOUNT",
            "订单金额不对。",
            found=str(amount_fen)[:20],
            expected=f"{format_yuan(1)} 至 {format_yuan(LARGEST_FEN)}；免费的不用下单",
        )
    live = Order.objects.filter(subject=subject, state__in=[OPEN, PAID, REFUNDING]).first()
    if live:
        if (live.student_id, live.amount_fen, live.fine) == (student.id, amount_fen, fine):
            return live
        raise Refused(
            "ORDER_EXISTS", "这件事已经有一张订单。", found=live.number, action="请先取消那张订单。"
        )
    now = clock.now()
    made = Order.objects.create(
        number=numbers.order_number(clock.today(), _serial()),
        student_id=student.id,
        subject=subject,
        title=title,
        amount_fen=amount_fen,
        fine=fine,
        tariff=tariff,
        state=ORDER.initial,
        state_at=now,
        expires_at=now + timedelta(minutes=settings.PAYMENTS_ORDER_MINUTES),
        created_at=now,
        created_by=actor.username,
    )
    begin(ORDER, [made.id], actor)
    detail = {"subject": subject, "amount_fen": amount_fen, "fine": fine, "tariff": tariff}
    record(actor, "order.create", "order", made.number, detail=detail)
    return made


def cancel_order(actor: Actor, order_id: int) -> Order:
    """The family does not want it any more. What comes in all the same goes back by itself.

    Raises NotFound, Refused `TRANSITION_NOT_ALLOWED`.
    """
    order = locked_order(actor, order_id)
    apply(ORDER, Order, [order.id], "cancel", actor)
    _end(order, CLOSED)
    record(actor, "order.cancel", "order", order.number)
    return order


def expire_order(order_id: int) -> bool:
    """End an order whose time is over, once no attempt is undecided; what is undecided is asked after now.

    So nobody who has paid in time finds her order expired. Returns whether it has ended.
    """
    order = locked_order(WORKER, order_id)
    if order.state != OPEN or order.expires_at > clock.now():
        return False
    undecided = order.payments.filter(state__in=UNDECIDED)
    if undecided.exists():
        undecided.filter(next_try_at=None).update(next_try_at=clock.now())
        return False
    apply(ORDER, Order, [order.id], "expire", WORKER)
    _end(order, EXPIRED)
    return True


def tell(order: Order, state: str) -> None:
    """Whoever waits for this order hears of it (queries.settled_after)."""
    Settled.objects.create(order=order, state=state, at=clock.now())


def _end(order: Order, state: str) -> None:
    Payment.objects.filter(order=order, state__in=UNDECIDED).update(next_try_at=clock.now())
    tell(order, state)
    order.refresh_from_db()


def _serial() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('payments_order_serial')")
        (serial,) = cursor.fetchone()
    return int(serial)

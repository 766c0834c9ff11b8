"""Attempts to pay: stored before a channel hears of them, decided by what it answers."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings

from xueka.contexts.payments.domain import numbers
from xueka.contexts.payments.domain.transitions import (
    CLOSED,
    CREATED,
    FAILED,
    OPEN,
    ORDER,
    PAYMENT,
    PENDING,
    UNDECIDED,
)
from xueka.contexts.payments.models import Order, Payment
from xueka.contexts.payments.ports import Started
from xueka.contexts.payments.services.common import (
    WORKER,
    locked_order,
    locked_payment,
    open_account,
    pause_after,
)
from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor


def begin_payment(actor: Actor, order_id: int, channel: str) -> Payment:
    """The attempt that the payer makes now: one that still waits at this channel, or a new one.

    Raises NotFound, Refused `ORDER_NOT_OPEN`, `ORDER_OVERDUE`, `CHANNEL_CLOSED`, `ORDER_TOO_MANY_ATTEMPTS`.
    """
    actor.require("school:order:pay")
    order = locked_order(actor, order_id)
    account = open_account(channel)
    if order.state != OPEN:
        raise Refused(
            "ORDER_NOT_OPEN",
            f"订单{ORDER.state(order.state).label}，不能再缴费。",
            found=order.number,
            action="请返回订单页查看；已扣款的会原路退回。",
        )
    if order.expires_at <= clock.now():
        raise Refused(
            "ORDER_OVERDUE", "订单已过缴费期限。", found=order.number, action="请重新办理，再缴费。"
        )
    waiting = order.payments.filter(channel=channel, state__in=[CREATED, PENDING]).order_by("-id").first()
    if waiting:
        return waiting
    attempt = order.payments.count() + 1
    if attempt > numbers.MOST_ATTEMPTS:
        raise Refused(
            "ORDER_TOO_MANY_ATTEMPTS", "这张订单尝试缴费的次数太多。", action="请取消订单，重新办理。"
        )
    now = clock.now()
    made = Payment.objects.create(
        order=order,
        attempt=attempt,
        channel=channel,
        settlement=account.settlement,
        fee_bearer=account.fee_bearer,
        out_trade_no=_out_trade_no(order, attempt, channel),
        amount_fen=order.amount_fen,
        state=PAYMENT.initial,
        state_at=now,
        created_at=now,
        created_by=actor.username,
        next_try_at=now + timedelta(seconds=settings.PAYMENTS_ASK_AFTER),
    )
    begin(PAYMENT, [made.id], actor)
    return made


def second_charge(order: Order, payment: Payment, channel_id: str) -> None:
    """A channel tells of another charge under a number that is paid: an attempt of its own, to be asked for.

    Told again it is the same one. It is nobody's order, so once confirmed it goes back.
    """
    if Payment.objects.filter(channel=payment.channel, asked_id=channel_id).exists():
        return
    now = clock.now()
    attempt = order.payments.count() + 1
    made = Payment.objects.create(
        order=order,
        attempt=attempt,
        channel=payment.channel,
        settlement=payment.settlement,
        fee_bearer=payment.fee_bearer,
        out_trade_no=f"{payment.out_trade_no}D{attempt:02d}",
        asked_id=channel_id,
        amount_fen=payment.amount_fen,
        state=PAYMENT.initial,
        state_at=now,
        created_at=now,
        created_by=WORKER.username,
        next_try_at=now,
    )
    begin(PAYMENT, [made.id], WORKER, detail={"under": payment.out_trade_no})


def mark_started(actor: Actor, payment_id: int, started: Started) -> Payment:
    """The channel has taken it. A payment that has been decided meanwhile stays as it is."""
    _, payment = locked_payment(payment_id)
    if payment.state == CREATED:
        apply(PAYMENT, Payment, [payment.id], "start", actor)
        Payment.objects.filter(id=payment.id).update(start=asdict(started), last_error="")
        payment.refresh_from_db()
    return payment


def mark_refused(payment_id: int, error: XuekaError) -> None:
    """The channel has said no: this attempt is over, the order is not."""
    _, payment = locked_payment(payment_id)
    if payment.state in (CREATED, PENDING):
        apply(PAYMENT, Payment, [payment.id], "fail", WORKER, reason=error.message)
        Payment.objects.filter(id=payment.id).update(last_error=_text(error), next_try_at=None)


def mark_doubt(payment_id: int, why: str) -> None:
    """Nothing is known of what the channel did: it is asked until something is."""
    _, payment = locked_payment(payment_id)
    if payment.state in (CREATED, PENDING):
        apply(PAYMENT, Payment, [payment.id], "doubt", WORKER, reason=why[:200])
    if payment.state in UNDECIDED:
        Payment.objects.filter(id=payment.id).update(
            last_error=why[:300], next_try_at=clock.now() + pause_after(0)
        )


def postpone(payment_id: int, error: XuekaError) -> None:
    """The channel did not answer the question either; ask again later."""
    _, payment = locked_payment(payment_id)
    if payment.state in UNDECIDED:
        Payment.objects.filter(id=payment.id).update(
            tries=payment.tries + 1,
            last_error=_text(error),
            next_try_at=clock.now() + pause_after(payment.tries),
        )


def still_waiting(payment_id: int) -> None:
    """The channel knows it and nobody has paid: ask again, seldom; there are notices."""
    _, payment = locked_payment(payment_id)
    if payment.state not in UNDECIDED:
        return
    if payment.state != PENDING and payment.start:
        apply(PAYMENT, Payment, [payment.id], "wait", WORKER)
    Payment.objects.filter(id=payment.id).update(
        tries=payment.tries + 1,
        last_error="",
        next_try_at=clock.now() + max(pause_after(payment.tries), timedelta(seconds=30)),
    )


def mark_ended(payment_id: int, state: str, word: str) -> None:
    """The channel says that nothing was paid and nothing will be: `closed`, or `failed`."""
    _, payment = locked_payment(payment_id)
    if payment.state in UNDECIDED:
        event = {CLOSED: "close", FAILED: "fail"}[state]
        apply(PAYMENT, Payment, [payment.id], event, WORKER, reason=word[:200])
    Payment.objects.filter(id=payment.id).update(next_try_at=None, last_error="")


def is_over(order: Order, payment: Payment) -> bool:
    """Nobody may pay this attempt any more: it is to be closed at the channel."""
    return order.state != OPEN or order.expires_at <= clock.now()


def started(payment: Payment) -> Started | None:
    """What the payer's page was given at the first time; None where the channel has not answered yet."""
    found: dict[str, Any] = payment.start
    return Started(found["kind"], found["data"]) if found else None


def _out_trade_no(order: Order, attempt: int, channel: str) -> str:
    if channel == "nontax":
        serial = int(order.number[8:17]) * 100 + attempt  # nine digits of the order, two of the attempt
        return numbers.pay_code(settings.PAYMENTS_NONTAX_REGION, clock.today(), serial)
    return numbers.attempt_number(order.number, attempt)


def _text(error: XuekaError) -> str:
    return f"{error.message}{error.action or ''}"[:300]

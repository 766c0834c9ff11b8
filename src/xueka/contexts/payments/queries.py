"""Reads on orders, payments, refunds and notices; each takes the reader's scope."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet, Sum

from xueka.contexts.payments.domain.transitions import FAILED, PAID, REFUNDING
from xueka.contexts.payments.models import (
    CHANNELS,
    ChannelAccount,
    Notice,
    Order,
    Payment,
    Refund,
    Settled,
)
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def order(scope: Scope, number: str) -> Order:
    """One order by its number; NotFound for strangers too."""
    found = (
        Order.objects.visible_to(scope)
        .select_related("student__school")
        .filter(number=number.strip().upper())
        .first()
    )
    if found is None:
        raise NotFound("ORDER_NOT_FOUND", "没有这张缴费订单。", found=number[:32], action="请核对订单号。")
    return found


def orders(scope: Scope, ids: list[int]) -> dict[int, Order]:
    """These orders, as far as the scope shows them, by id."""
    return Order.objects.visible_to(scope).in_bulk(ids)


def orders_of(scope: Scope, student_id: int) -> list[Order]:
    """Every order of a student, newest first."""
    rows = Order.objects.visible_to(scope).filter(student_id=student_id)
    return list(rows.prefetch_related("payments", "refunds"))


def order_rows(scope: Scope) -> QuerySet[Order]:
    """Every order of a scope, unordered, for lists that are paged by key."""
    return Order.objects.visible_to(scope).select_related("student__school")


def payments_of(order_: Order) -> list[Payment]:
    return list(order_.payments.order_by("id"))


def refunds_of(order_: Order) -> list[Refund]:
    return list(order_.refunds.select_related("payment").order_by("id"))


def notices_of(scope: Scope, order_: Order) -> list[Notice]:
    """What the channels have sent on an order's payments, oldest first; for the city only."""
    return list(Notice.objects.visible_to(scope).filter(payment__order=order_).order_by("id"))


def payment_rows(scope: Scope) -> QuerySet[Payment]:
    """Every attempt of a scope, unordered; reconciliation reads them by `channel` and `success_at`."""
    return Payment.objects.visible_to(scope)


def refund_rows(scope: Scope) -> QuerySet[Refund]:
    """Every refund of a scope, unordered."""
    return Refund.objects.visible_to(scope)


def refund_of(scope: Scope, number: str) -> Refund:
    """One refund by its number; NotFound for strangers too."""
    found = Refund.objects.visible_to(scope).select_related("payment", "order").filter(number=number).first()
    if found is None:
        raise NotFound("REFUND_NOT_FOUND", "没有这笔退款。", found=number[:32], action="请核对退款单号。")
    return found


def refundable_fen(order_: Order) -> int:
    """How much of a paid order may still be given back."""
    if order_.state not in (PAID, REFUNDING):
        return 0
    rows = order_.refunds.filter(source="income").exclude(state=FAILED)
    return order_.amount_fen - int(rows.aggregate(sum=Sum("amount_fen"))["sum"] or 0)


def accounts(scope: Scope) -> list[ChannelAccount]:
    """Our accounts at the channels, in the order of the books; keys are not among what they hold."""
    found = {each.code: each for each in ChannelAccount.objects.visible_to(scope)}
    return [found[code] for code in CHANNELS if code in found]


def notice_rows(scope: Scope) -> QuerySet[Notice]:
    """Everything that channels have sent, unordered, without the raw bytes."""
    return Notice.objects.visible_to(scope).select_related("payment__order").defer("raw", "headers")


def notice_outcomes(scope: Scope) -> dict[str, int]:
    """How many notices came to which end; those still to be judged under the empty word."""
    rows = Notice.objects.visible_to(scope).order_by().values_list("outcome").annotate(Count("id"))
    return dict(rows)


@dataclass(frozen=True, slots=True)
class SettledOrder:
    """An order that has reached `state` (paid, closed, expired, refunded). `success_at` of the payment."""

    seq: int
    order_id: int
    number: str
    subject: str
    state: str
    success_at: datetime | None


def settled_after(scope: Scope, cursor: int, limit: int = 500) -> list[SettledOrder]:
    """What has been settled since, in the order of `seq`; go on from the last one's `seq`.

    Numbers are given after the commit, by one sweep: nothing appears later below a number that was seen.
    """
    seen = Order.objects.visible_to(scope)
    rows = Settled.objects.filter(seq__gt=cursor, order__in=seen).select_related("order").order_by("seq")
    return [
        SettledOrder(
            each.seq or 0,
            each.order_id,
            each.order.number,
            each.order.subject,
            each.state,
            each.order.success_at,
        )
        for each in rows[:limit]
    ]

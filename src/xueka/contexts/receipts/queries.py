"""Reads on receipts and on the stock of numbers; each takes the reader's scope."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import CharField, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Concat

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.receipts import calling
from xueka.contexts.receipts.domain.transitions import DUE, ISSUED, KEPT, LACKING, NUMBERED, RECEIPT, WAITING
from xueka.contexts.receipts.models import Draw, Receipt
from xueka.contexts.receipts.ports import OfficeUnavailable
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import EVERYWHERE, Scope


@dataclass(frozen=True, slots=True)
class Stock:
    """Numbers drawn and not used. `low`: draw more now. `asked`: draws that wait for an answer.

    `left` counts the code that receipts are issued under now; `old` what lies unused under codes that the
    office has replaced (the year stands in them). `drawn` and `used` are of all times; `last_refusal` is the
    newest draw's, if it was refused.
    """

    left: int
    old: int
    drawn: int
    used: int
    low: bool
    asked: int
    last_refusal: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """Money of which the finance office has issued no receipt. `red`: it went back.

    `receipt_id` is None where nothing has begun; `why` says in words what it waits for.
    """

    order: str
    payment_id: int
    out_trade_no: str
    channel: str
    red: bool
    amount_fen: int
    since: datetime
    receipt_id: int | None
    why: str


def receipt(scope: Scope, receipt_id: int) -> Receipt:
    """One receipt; NotFound `RECEIPT_NOT_FOUND` for strangers too."""
    found = (
        Receipt.objects.visible_to(scope)
        .select_related("order__student__school", "payment", "refund", "blue", "file", "seal")
        .filter(id=receipt_id)
        .first()
    )
    if found is None:
        raise NotFound("RECEIPT_NOT_FOUND", "没有这张票据。", found=receipt_id)
    return found


def receipts_of(scope: Scope, order_id: int) -> list[Receipt]:
    """The receipts of an order, blue and red, in the order in which they became due."""
    rows = Receipt.objects.visible_to(scope).filter(order_id=order_id)
    return list(rows.select_related("payment", "refund", "blue").order_by("id"))


def rows(scope: Scope) -> QuerySet[Receipt]:
    """Every receipt of a scope, unordered, for lists."""
    return Receipt.objects.visible_to(scope).select_related("order__student", "payment", "blue")


def issued(scope: Scope, first: date, last: date) -> QuerySet[Receipt]:
    """Those that finance issued on these days (Beijing), by the time of issue."""
    found = Receipt.objects.visible_to(scope).filter(
        state__in=[ISSUED, KEPT], issued_at__gte=_start(first), issued_at__lt=_start(last + timedelta(days=1))
    )
    return found.select_related("order", "payment").order_by("issued_at", "id")


def waiting(scope: Scope) -> QuerySet[Receipt]:
    """Those for which something is still to be done, the oldest first."""
    return rows(scope).filter(state__in=WAITING).order_by("since", "id")


def lacking(scope: Scope, first: date, last: date) -> list[Lacking]:
    """Money of these days that has none. A payment and a refund are of the day on which they stand in the
    books, as in the weekly close: what was heard of late, of the first day that was still open.
    """
    booked = ledger.entry_rows(EVERYWHERE).filter(on__range=(first, last)).values("key")
    payment_key = Concat(Value("payment:"), "out_trade_no", output_field=CharField())
    refund_key = Concat(Value("refund:"), "number", Value(":done"), output_field=CharField())
    paid = (
        payments.payment_rows(scope)
        .alias(booked_as=payment_key)
        .filter(credited=True, booked_as__in=booked)
        .exclude(receipts__in=Receipt.objects.filter(refund=None).exclude(state__in=LACKING))
        .select_related("order")
        .order_by("success_at", "id")
    )
    back = (
        payments.refund_rows(scope)
        .alias(booked_as=refund_key)
        .filter(state="succeeded", source="income", booked_as__in=booked)
        .filter(Q(receipt=None) | Q(receipt__state__in=LACKING))
        .select_related("order", "payment")
        .order_by("success_at", "id")
    )
    payment_list, refund_list = list(paid), list(back)
    begun = {
        (each.payment_id, each.refund_id): each
        for each in Receipt.objects.filter(
            Q(payment__in=[each.id for each in payment_list], refund=None)
            | Q(refund__in=[each.id for each in refund_list])
        )
    }
    found = [
        _lacking(each.order.number, each, each.amount_fen, each.success_at, begun.get((each.id, None)))
        for each in payment_list
    ]
    found += [
        _lacking(
            each.order.number,
            each.payment,
            -each.amount_fen,
            each.success_at,
            begun.get((each.payment_id, each.id)),
        )
        for each in refund_list
    ]
    return found


def why_waiting(found: Receipt) -> str:
    """In words, what a receipt waits for; empty for one that is kept."""
    if found.state == KEPT:
        return ""
    step = {DUE: "待领票号", NUMBERED: "待财政部门开具", ISSUED: "已开具，待取回原件"}[found.state]
    return f"{step}：{found.last_error}" if found.last_error else step


def draws(scope: Scope) -> QuerySet[Draw]:
    """领取票据: every draw, the newest first."""
    return Draw.objects.visible_to(scope)


def drawn(scope: Scope, first: date, last: date) -> QuerySet[Draw]:
    """Blocks that the office gave on these days (Beijing)."""
    return draws(scope).filter(drawn_at__gte=_start(first), drawn_at__lt=_start(last + timedelta(days=1)))


def stock(scope: Scope) -> Stock:
    """What is left of the numbers drawn; they are for money that we collected ourselves."""
    all_of_them = draws(scope)
    given = all_of_them.filter(first__isnull=False)
    sums = given.aggregate(drawn=Sum("count"), used=Sum("used"))
    unused = Sum(F("count") - F("used"))
    by_code = dict(given.filter(used__lt=F("count")).order_by().values_list("code").annotate(unused=unused))
    left = by_code.pop(_code_now(), 0)
    newest = all_of_them.first()
    return Stock(
        left=left,
        old=sum(by_code.values()),
        drawn=sums["drawn"] or 0,
        used=sums["used"] or 0,
        low=left < settings.RECEIPTS_STOCK_LOW,
        asked=all_of_them.filter(first=None, refused="").count(),
        last_refusal=newest.refused if newest else "",
    )


def state_label(found: Receipt) -> str:
    return RECEIPT.state(found.state).label


def _code_now() -> str:
    """Of the receipts that are issued now; where the office is not known, of the newest draw."""
    try:
        return calling.office().terms.code
    except OfficeUnavailable:
        return Draw.objects.values_list("code", flat=True).first() or ""


def _lacking(
    order: str, payment: payments.Payment, fen: int, at: datetime | None, begun: Receipt | None
) -> Lacking:
    return Lacking(
        order=order,
        payment_id=payment.id,
        out_trade_no=payment.out_trade_no,
        channel=payment.channel,
        red=fen < 0,
        amount_fen=fen,
        since=at or clock.now(),
        receipt_id=begun.id if begun else None,
        why=why_waiting(begun) if begun else "还没有开始开票",
    )


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=clock.SHANGHAI)

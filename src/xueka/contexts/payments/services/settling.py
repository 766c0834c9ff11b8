"""Money that has come: the order's, or nobody's and on its way back. Never in silence."""

from django.utils.timezone import is_aware

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments.domain.placing import place
from xueka.contexts.payments.domain.transitions import CLOSED, FAILED, ORDER, PAID, PAYMENT, SUCCEEDED
from xueka.contexts.payments.models import MERCHANT, Order, Payment, Unknown
from xueka.contexts.payments.ports import Told
from xueka.contexts.payments.services import paying, refunding
from xueka.contexts.payments.services.common import WORKER, day_in_books, locked_payment, owed_to_treasury
from xueka.contexts.payments.services.orders import tell
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.kernel.money import format_yuan
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor


def hear(payment_id: int, told: Told, *, asked: bool) -> tuple[str, str]:
    """Apply what a channel says of a payment, however often and in whatever order; (outcome, words).

    `asked`: it is the answer to our own question. An unasked notice of another amount than ours is not
    believed before the channel has been asked (outcome `held`).
    """
    order, payment = locked_payment(payment_id)
    if told.state != "succeeded":
        return _unpaid(payment, told)
    if payment.state == SUCCEEDED:
        return _known(order, payment, told)
    if told.amount_fen != payment.amount_fen and not asked:
        words = f"应缴 {format_yuan(payment.amount_fen)}，通知写 {format_yuan(told.amount_fen)}"
        _doubt(payment, words)
        return "held", words
    _receive(order, payment, told)
    return "applied", ""


def _known(order: Order, payment: Payment, told: Told) -> tuple[str, str]:
    """Of a payment that is in the books: the same again, another amount, or a second charge by its number."""
    if told.channel_id != payment.channel_id:
        paying.second_charge(order, payment, told.channel_id)
        return "held", "同一商户订单号的第二笔扣款，已向渠道查询"
    if told.amount_fen != payment.received_fen:
        known = format_yuan(payment.received_fen or 0)
        return "held", f"已入账 {known}，通知写 {format_yuan(told.amount_fen)}"
    return "repeated", ""


def _unpaid(payment: Payment, told: Told) -> tuple[str, str]:
    if payment.state in paying.UNDECIDED and told.state in (CLOSED, FAILED):
        paying.mark_ended(payment.id, told.state, told.word)
        return "applied", told.word
    return "noted", told.word


def _doubt(payment: Payment, words: str) -> None:
    if payment.state in paying.UNDECIDED:
        paying.mark_doubt(payment.id, words)
    Payment.objects.filter(id=payment.id).update(next_try_at=clock.now(), last_error=words[:300])


def _receive(order: Order, payment: Payment, told: Told) -> None:
    """The books, the order, and what is not the order's."""
    if (
        told.success_at is None
        or not is_aware(told.success_at)
        or not told.channel_id
        or told.amount_fen <= 0
    ):
        raise ValueError(f"a channel's success without time, id or amount: {payment.out_trade_no}")
    placed = place(order.state, payment.amount_fen, told.amount_fen)
    apply(PAYMENT, Payment, [payment.id], "succeed", WORKER, detail={"channel_id": told.channel_id})
    Payment.objects.filter(id=payment.id).update(
        channel_id=told.channel_id,
        received_fen=told.amount_fen,
        success_at=told.success_at,
        credited=placed.credited,
        stray=placed.stray,
        stray_fen=placed.stray_fen,
        next_try_at=None,
        last_error="",
    )
    payment.refresh_from_db()
    clearing = ledger.clearing(payment.channel)
    postings = [ledger.Posting(clearing, told.amount_fen, payment.channel, payment.out_trade_no)]
    if placed.credited:
        owed = owed_to_treasury(order)
        postings.append(ledger.Posting(owed, -payment.amount_fen, payment.channel, order.number))
    if placed.stray_fen:
        stray = ledger.Posting(ledger.PAYERS, -placed.stray_fen, payment.channel, payment.out_trade_no)
        postings.append(stray)
    ledger.post(
        WORKER,
        f"payment:{payment.out_trade_no}",
        "payment",
        day_in_books(told.success_at),
        postings,
        {"order": order.number, "channel_id": told.channel_id, "stray": placed.stray},
    )
    if placed.credited:
        apply(ORDER, Order, [order.id], "settle", WORKER, detail={"payment": payment.out_trade_no})
        Order.objects.filter(id=order.id).update(success_at=told.success_at)
        tell(order, PAID)
    if placed.stray:
        detail = {"stray": placed.stray, "amount_fen": placed.stray_fen, "order": order.number}
        record(WORKER, "payment.stray", "payment", payment.out_trade_no, detail=detail)
        refunding.return_stray(order, payment)


def hear_unknown(channel: str, out_trade_no: str, told: Told) -> None:
    """Money under a number that we never gave: nothing is believed before the channel has been asked."""
    if told.state != "succeeded" or not told.channel_id:
        return
    now = clock.now()
    fresh = {"out_trade_no": out_trade_no, "at": now, "next_try_at": now}
    Unknown.objects.get_or_create(channel=channel, channel_id=told.channel_id, defaults=fresh)


def end_unknown(unknown_id: int, told: Told) -> None:
    """What the channel answered of it: it comes into the books, or there is no such money."""
    found = Unknown.objects.select_for_update().get(id=unknown_id)
    if found.state != "asked":
        return
    paid = told.state == "succeeded" and told.channel_id == found.channel_id
    if paid:
        keep_unknown(found.channel, found.out_trade_no, told)
    Unknown.objects.filter(id=unknown_id).update(
        state="booked" if paid else "denied",
        fen=told.amount_fen if paid else None,
        next_try_at=None,
        last_error=told.word[:300],
    )


def keep_unknown(channel: str, out_trade_no: str, told: Told) -> None:
    """Money that is nobody's stands in the breaks account until somebody explains it."""
    if told.state != "succeeded" or told.success_at is None:
        return
    postings = [
        ledger.Posting(ledger.clearing(channel), told.amount_fen, channel, out_trade_no),
        ledger.Posting(ledger.BREAKS, -told.amount_fen, channel, out_trade_no),
    ]
    about = {"channel_id": told.channel_id, "out_trade_no": out_trade_no}
    key = f"unknown:{channel}:{told.channel_id}"
    ledger.post(WORKER, key, "unknown_payment", day_in_books(told.success_at), postings, about)
    record(
        WORKER,
        "payment.unknown",
        "payment",
        out_trade_no,
        detail={"channel": channel, "channel_id": told.channel_id, "amount_fen": told.amount_fen},
    )


def mark_remitted(actor: Actor, payment_ids: list[int], close: str) -> int:
    """These collections are in the close of that number; refunds go by 退付 from now on. Returns how many.

    All or nothing. Raises Refused `PAYMENT_NOT_TO_REMIT` where one is not collected by us as a merchant, or
    is in another close: no fen is remitted twice.
    """
    actor.require("city:ledger:post")
    wanted = sorted(set(payment_ids))
    rows = Payment.objects.select_for_update().filter(
        id__in=wanted, credited=True, settlement=MERCHANT, remitted_in__in=["", close]
    )
    found = list(rows.order_by("id").values_list("id", flat=True))
    if missing := sorted(set(wanted) - set(found)):
        raise Refused(
            "PAYMENT_NOT_TO_REMIT",
            f"有 {len(missing)} 笔缴款不能列入本次上缴。",
            found=missing[0],
            expected="商户代收、已入账、没有上缴过",
            action="请重新生成本次上缴的清单。",
        )
    return Payment.objects.filter(id__in=found).update(remitted_in=close)

"""Refunds: asked for in the books before a channel hears of them, bounded by the database."""

from django.db.models import Sum

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments.domain import numbers
from xueka.contexts.payments.domain.transitions import (
    ABNORMAL,
    ASKED,
    FAILED,
    ORDER,
    PAID,
    REFUND,
    REFUND_UNDECIDED,
    REFUNDED,
    REFUNDING,
    SUCCEEDED,
)
from xueka.contexts.payments.models import CHANNEL_WAY, DIRECT, PAYBACK_WAY, STRAYS, Order, Payment, Refund
from xueka.contexts.payments.ports import ToldRefund
from xueka.contexts.payments.services.common import (
    WORKER,
    day_in_books,
    locked_order,
    locked_refund,
    owed_to_treasury,
    pause_after,
)
from xueka.contexts.payments.services.orders import tell
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused, XuekaError
from xueka.kernel.money import format_yuan
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

_ASK = "city:refund:ask"


def refund(actor: Actor, order_id: int, amount_fen: int, reason: str, key: str) -> Refund:
    """Give (part of) a paid order back. The same `key` again is the same refund.

    What has been remitted to the treasury, or reached it directly, goes by 退付 (`way`). Raises NotFound,
    Refused `ORDER_NOT_PAID`, `REFUND_TOO_MUCH`, `REFUND_KEY_REUSED`; BadInput `REFUND_AMOUNT`,
    `REASON_MISSING`.
    """
    actor.require(_ASK)
    order = locked_order(actor, order_id)
    known = Refund.objects.filter(key=key).first()
    if known:
        if (known.order_id, known.amount_fen) == (order.id, amount_fen):
            return known
        raise Refused("REFUND_KEY_REUSED", "这个唯一键已经用于另一笔退款。", found=key)
    if type(amount_fen) is not int or amount_fen <= 0:
        raise BadInput(
            "REFUND_AMOUNT", "退款金额不对。", found=str(amount_fen)[:20], expected="大于零，单位为分"
        )
    if not reason.strip():
        raise BadInput("REASON_MISSING", "请写明退款原因。", where="退款原因")
    if order.state not in (PAID, REFUNDING):
        label = ORDER.state(order.state).label
        raise Refused("ORDER_NOT_PAID", f"订单{label}，不能退款。", found=label, expected="已缴费")
    payment = order.payments.select_for_update().get(credited=True)
    _within(amount_fen, order.amount_fen - _taken(payment, "income"), "请减少退款金额。")
    if order.state == PAID:
        apply(ORDER, Order, [order.id], "ask_refund", actor, reason=reason[:80])
    made = _make(actor, order, payment, amount_fen, "income", reason, key)
    detail = {"order": order.number, "amount_fen": amount_fen, "way": made.way}
    record(actor, "refund.ask", "refund", made.number, detail=detail)
    return made


def return_stray(order: Order, payment: Payment) -> Refund:
    """What came without being the order's goes back by itself; once, whoever calls how often."""
    key = f"stray:{payment.out_trade_no}"
    known = Refund.objects.filter(key=key).first()
    reason = STRAYS[payment.stray]
    return known or _make(WORKER, order, payment, payment.stray_fen, "payers", reason, key)


def again(actor: Actor, refund_id: int) -> Refund:
    """A refund that came to nothing is asked for anew, under another number.

    Raises NotFound, Refused `REFUND_NOT_FAILED`, `REFUND_TOO_MUCH` (another refund has taken its place); a
    second call finds the first one's refund.
    """
    actor.require(_ASK)
    order, payment, failed = locked_refund(refund_id)
    locked_order(actor, order.id)  # the actor's scope
    if failed.state != FAILED:
        raise Refused(
            "REFUND_NOT_FAILED", "这笔退款没有失败，不用重办。", found=REFUND.state(failed.state).label
        )
    key = f"again:{failed.number}"
    known = Refund.objects.filter(key=key).first()
    if known:
        return known
    left = _whole(payment, failed.source) - _taken(payment, failed.source)
    _within(failed.amount_fen, left, "已另行退款，请按余额另办退款。")
    if failed.source == "income" and order.state == PAID:
        apply(ORDER, Order, [order.id], "ask_refund", actor, reason=failed.reason)
    made = _make(actor, order, payment, failed.amount_fen, failed.source, failed.reason, key)
    record(actor, "refund.again", "refund", made.number, detail={"failed": failed.number})
    return made


def mark_sent(refund_id: int) -> None:
    """The channel is about to be asked: from here on its answer may be lost, the question not."""
    _, _, found = locked_refund(refund_id)
    if found.state in REFUND_UNDECIDED:
        Refund.objects.filter(id=found.id).update(
            tries=found.tries + 1, next_try_at=clock.now() + pause_after(found.tries)
        )


def postpone(refund_id: int, error: XuekaError) -> None:
    """No answer: the same number is asked again later."""
    _, _, found = locked_refund(refund_id)
    if found.state in REFUND_UNDECIDED:
        Refund.objects.filter(id=found.id).update(last_error=f"{error.message}{error.action or ''}"[:300])


def hear_refund(refund_id: int, told: ToldRefund) -> tuple[str, str]:
    """Apply what a channel (or, for 退付, the finance side) says of a refund; (outcome, words)."""
    order, payment, found = locked_refund(refund_id)
    if told.state == "succeeded":
        return _heard_success(order, payment, found, told)
    if found.state not in REFUND_UNDECIDED:
        return "noted", told.word
    match told.state:
        case "failed":
            _failed(order, payment, found, told)
        case "abnormal":
            if found.state != ABNORMAL:
                apply(REFUND, Refund, [found.id], "stall", WORKER, reason=told.word[:200])
            Refund.objects.filter(id=found.id).update(last_error=told.word[:300])
        case "waiting" if found.state == ASKED:
            apply(REFUND, Refund, [found.id], "send", WORKER)
            Refund.objects.filter(id=found.id).update(last_error="", channel_id=told.channel_id)
        case _:
            return "noted", told.word
    return "applied", told.word


def _heard_success(order: Order, payment: Payment, found: Refund, told: ToldRefund) -> tuple[str, str]:
    if found.state == SUCCEEDED:
        return "repeated", ""
    if told.amount_fen != found.amount_fen:
        return "held", f"退款 {format_yuan(found.amount_fen)}，渠道写 {format_yuan(told.amount_fen)}"
    if found.state != FAILED:
        _succeeded(order, payment, found, told)
        return "applied", ""
    if found.amount_fen > _whole(payment, found.source) - _taken(payment, found.source):
        return "held", "退款已记为未成，且已另行退款，渠道却说成功"
    _succeeded_after_all(order, payment, found, told)
    return "applied", "记为未成之后成功"


def _within(amount_fen: int, left: int, action: str) -> None:
    if amount_fen > left:
        raise Refused(
            "REFUND_TOO_MUCH",
            "退款合计会超过实收。",
            found=format_yuan(amount_fen),
            expected=f"最多 {format_yuan(left)}",
            action=action,
        )


def _make(
    actor: Actor, order: Order, payment: Payment, amount_fen: int, source: str, reason: str, key: str
) -> Refund:
    # Only the order's own money is ever remitted; what strays stays at the channel.
    gone = payment.settlement == DIRECT or (payment.remitted_in and source == "income")
    way = PAYBACK_WAY if gone else CHANNEL_WAY
    now = clock.now()
    made = Refund.objects.create(
        order=order,
        payment=payment,
        number=numbers.refund_number(order.number, order.refunds.count() + 1),
        key=key,
        amount_fen=amount_fen,
        source=source,
        way=way,
        reason=reason.strip()[:80],
        state=REFUND.initial,
        state_at=now,
        asked_at=now,
        asked_by=actor.username,
        next_try_at=now if way == CHANNEL_WAY else None,
    )
    begin(REFUND, [made.id], actor)
    _post(order, payment, made, "ask", made.amount_fen, source, "refunds")
    return made


def _succeeded(order: Order, payment: Payment, found: Refund, told: ToldRefund) -> None:
    apply(REFUND, Refund, [found.id], "succeed", WORKER, detail={"channel_id": told.channel_id})
    Refund.objects.filter(id=found.id).update(
        channel_id=told.channel_id, success_at=told.success_at or clock.now(), next_try_at=None, last_error=""
    )
    out_of = ledger.clearing(payment.channel) if found.way == CHANNEL_WAY else ledger.TREASURY
    _post(order, payment, found, "done", found.amount_fen, "refunds", out_of)
    if found.source == "income":
        _order_after(order, payment)


def _succeeded_after_all(order: Order, payment: Payment, found: Refund, told: ToldRefund) -> None:
    """It had come to nothing, was owed again, and nobody has asked for it anew: now it has gone back."""
    if found.source == "income" and order.state == PAID:
        apply(ORDER, Order, [order.id], "ask_refund", WORKER, reason=found.reason)
    apply(REFUND, Refund, [found.id], "succeed_after_all", WORKER, detail={"channel_id": told.channel_id})
    Refund.objects.filter(id=found.id).update(
        channel_id=told.channel_id, success_at=told.success_at or clock.now(), next_try_at=None, last_error=""
    )
    out_of = ledger.clearing(payment.channel) if found.way == CHANNEL_WAY else ledger.TREASURY
    _post(order, payment, found, "done", found.amount_fen, found.source, out_of)
    detail = {"order": order.number, "amount_fen": found.amount_fen}
    record(WORKER, "refund.after_all", "refund", found.number, detail=detail)
    if found.source == "income":
        order.refresh_from_db()
        _order_after(order, payment)


def _failed(order: Order, payment: Payment, found: Refund, told: ToldRefund) -> None:
    apply(REFUND, Refund, [found.id], "fail", WORKER, reason=told.word[:200])
    Refund.objects.filter(id=found.id).update(next_try_at=None, last_error=told.word[:300])
    _post(order, payment, found, "failed", found.amount_fen, "refunds", found.source)
    detail = {"order": order.number, "amount_fen": found.amount_fen, "word": told.word[:80]}
    record(WORKER, "refund.failed", "refund", found.number, result="failed", detail=detail)
    if found.source == "income":
        _order_after(order, payment)


def _order_after(order: Order, payment: Payment) -> None:
    """Once no refund of the order is under way: all of it back, or paid as before."""
    own = payment.refunds.filter(source="income")
    if own.filter(state__in=REFUND_UNDECIDED).exists():
        return
    back = own.filter(state=SUCCEEDED).aggregate(sum=Sum("amount_fen"))["sum"] or 0
    event = "complete_refund" if back == order.amount_fen else "end_refund"
    apply(ORDER, Order, [order.id], event, WORKER)
    if event == "complete_refund":
        tell(order, REFUNDED)


def _whole(payment: Payment, source: str) -> int:
    """What can go back from a source at most."""
    received = payment.received_fen or 0
    return payment.stray_fen if source == "payers" else received - payment.stray_fen


def _taken(payment: Payment, source: str) -> int:
    rows = payment.refunds.filter(source=source).exclude(state=FAILED)
    return int(rows.aggregate(sum=Sum("amount_fen"))["sum"] or 0)


def _post(
    order: Order, payment: Payment, found: Refund, step: str, fen: int, debit: str, credit: str
) -> None:
    """One entry of a refund; each account has its own reference (docs/ledger.md)."""

    def at(side: str) -> str:
        return owed_to_treasury(order) if side == ledger.INCOME else side

    reference = {
        ledger.INCOME: order.number,
        ledger.FINES: order.number,
        ledger.PAYERS: payment.out_trade_no,
        ledger.REFUNDS: found.number,
        ledger.TREASURY: order.number,
    }
    sides = [
        ledger.Posting(account, signed, payment.channel, reference.get(account, payment.out_trade_no))
        for account, signed in ((at(debit), fen), (at(credit), -fen))
    ]
    about = {"order": order.number, "payment": payment.out_trade_no, "refund": found.number}
    day = day_in_books(clock.now())
    key = f"refund:{found.number}:{step}"
    ledger.post(WORKER, key, f"refund_{step}", day, sides, about)

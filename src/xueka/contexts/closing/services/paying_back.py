"""退付: refunds that the treasury pays back, registered and followed to their end."""

from datetime import date, datetime, time, timedelta
from typing import Literal

from django.db import connection

from xueka.contexts.closing.models import BackPayment
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

_FIRST_PAUSE, _LONGEST_PAUSE = 5, 1800  # seconds
_TWICE = "渠道已退回，而款项已经上缴"
#: Refunds that had come to nothing when their payment was signed, and that the channel paid after all: the
#: money was remitted, and is with the family. What went back before signing is not in `remit_fen`.
_WENT_TWICE = """
SELECT r.id FROM payments_refund r
  JOIN payments_payment p ON p.id = r.payment_id AND p.remitted_in <> ''
  JOIN closing_line l ON l.payment_id = p.id AND l.settlement = 'merchant'
  JOIN closing_part t ON t.id = l.part_id
  JOIN closing_close c ON c.id = t.close_id
 WHERE r.state = 'succeeded' AND r.way = 'channel' AND r.source = 'income' AND r.state_at >= c.signed_at
   AND NOT EXISTS (SELECT 1 FROM closing_backpayment b WHERE b.refund_id = r.id)
   AND l.remit_fen + (SELECT sum(o.amount_fen) FROM payments_refund o
                       WHERE o.payment_id = p.id AND o.state = 'succeeded' AND o.way = 'channel'
                         AND o.source = 'income') > p.received_fen - p.stray_fen
 ORDER BY r.id LIMIT %s
"""


def register_back_payments(limit: int = 200) -> int:
    """Put refunds by 退付 on the register; those of payment codes are then asked for by themselves.

    A refund that a channel has paid after its payment was remitted is there too: the treasury owes it to the
    collection account, and it is asked for on paper.
    """
    known = BackPayment.objects.values("refund_id")
    rows = payments.refund_rows(EVERYWHERE).filter(way=payments.PAYBACK_WAY).exclude(id__in=known)
    fresh = list(rows.select_related("payment").order_by("id")[:limit])
    now = clock.now()
    made = BackPayment.objects.bulk_create(
        (
            BackPayment(
                refund=each,
                settlement=each.payment.settlement,
                registered_at=now,
                next_try_at=now if each.payment.settlement == payments.DIRECT else None,
            )
            for each in fresh
        ),
        ignore_conflicts=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(_WENT_TWICE, [limit])
        twice = [refund_id for (refund_id,) in cursor.fetchall()]
    again = BackPayment.objects.bulk_create(
        (
            BackPayment(refund_id=each, settlement=payments.MERCHANT, registered_at=now, said=_TWICE)
            for each in twice
        ),
        ignore_conflicts=True,
    )
    return len(made) + len(again)


def due(limit: int = 200) -> list[int]:
    """Refunds of payment codes whose turn to be asked for has come."""
    rows = BackPayment.objects.filter(next_try_at__lte=clock.now())
    return list(rows.order_by("next_try_at").values_list("refund_id", flat=True)[:limit])


def mark_asked(refund_id: int) -> payments.Refund | None:
    """The office is about to be asked: from here on its answer may be lost, the question not."""
    found = BackPayment.objects.select_for_update().get(refund_id=refund_id)
    if found.next_try_at is None:
        return None
    pause = timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(found.tries, 16), _LONGEST_PAUSE))
    found.tries, found.next_try_at = found.tries + 1, clock.now() + pause
    found.save(update_fields=["tries", "next_try_at"])
    return payments.refund_rows(EVERYWHERE).select_related("payment", "order__student").get(id=refund_id)


def note(refund_id: int, said: str) -> None:
    """No answer that helps: the same number is asked again later."""
    BackPayment.objects.filter(refund_id=refund_id).update(said=said[:200])


def hear(refund_id: int, told: payments.ToldRefund) -> None:
    """Apply what the office says; followed until it has paid back or refused."""
    found = BackPayment.objects.select_for_update().get(refund_id=refund_id)
    payments.hear_refund(refund_id, told)
    state = payments.refund_rows(EVERYWHERE).values_list("state", flat=True).get(id=refund_id)
    found.said = told.word[:200]
    if state not in payments.REFUND_UNDECIDED:
        found.next_try_at, found.ended_at = None, clock.now()
    found.save(update_fields=["said", "next_try_at", "ended_at"])


def end_back_payment(
    actor: Actor, refund_id: int, *, paid: bool, document_number: str, on: date, said: str = ""
) -> BackPayment:
    """The finance office's answer on paper for money that we had remitted: paid back on that day, or not.

    What the family has from the channel already comes back to the collection account (docs/ledger.md). The
    same again, with the same outcome, is the same. Raises NotFound; BadInput `DOCUMENT_NUMBER`,
    `BACK_PAYMENT_DAY`; Refused `BACK_PAYMENT_BY_MESSAGE` for a payment code's, `BACK_PAYMENT_ENDED`.
    """
    actor.require("city:close:remit")
    number = document_number.strip()
    if not 0 < len(number) <= 40 or not number.isprintable():
        raise BadInput(
            "DOCUMENT_NUMBER", "请填财政退付的文号。", found=number[:40], expected="1 至 40 个字符"
        )
    found = (
        BackPayment.objects.visible_to(actor.scope).select_for_update().filter(refund_id=refund_id).first()
    )
    if found is None:
        raise NotFound("BACK_PAYMENT_NOT_FOUND", "没有这笔退付。", found=refund_id)
    if found.settlement == payments.DIRECT:
        raise Refused("BACK_PAYMENT_BY_MESSAGE", "直达国库的退付由系统向财政申请，不用登记。")
    refund = payments.refund_rows(EVERYWHERE).select_related("payment").get(id=refund_id)
    if found.ended_at:
        was = _was_paid(refund)
        if found.document_number == number and was == paid:
            return found
        raise Refused(
            "BACK_PAYMENT_ENDED",
            "这笔退付已经登记过结果。",
            found=f"{'已退付' if was else '不予退付'}，{found.document_number}",
            action="请核对财政的书面答复。",
        )
    if not clock.local(refund.asked_at).date() <= on <= clock.today():
        raise BadInput("BACK_PAYMENT_DAY", "退付日期不对。", found=on, expected=f"到 {clock.today()} 为止")
    if refund.way == payments.PAYBACK_WAY:
        _decide(refund, paid, number, on, said)
    elif paid:
        _returned(actor, refund, number, on)
    found.document_number, found.said = number, said.strip()[:200]
    found.ended_at, found.ended_by = clock.now(), actor.username
    found.save(update_fields=["document_number", "said", "ended_at", "ended_by"])
    detail = {"paid": paid, "document_number": number, "on": on.isoformat()}
    record(actor, "close.back_payment", "refund", refund.number, detail=detail)
    return found


def _decide(refund: payments.Refund, paid: bool, number: str, on: date, said: str) -> None:
    """The refund itself waits for this answer."""
    moment = min(datetime.combine(on, time(12), clock.SHANGHAI), clock.now())
    state: Literal["succeeded", "failed"] = "succeeded" if paid else "failed"
    word = said.strip()[:80] or "财政书面答复"
    outcome, words = payments.hear_refund(
        refund.id, payments.ToldRefund(state, refund.amount_fen, number, moment, word)
    )
    if outcome not in ("applied", "repeated"):
        raise Refused("BACK_PAYMENT_HELD", "这笔退款已有别的结果，不能这样登记。", found=words or None)


def _returned(actor: Actor, refund: payments.Refund, number: str, on: date) -> None:
    """The treasury has given back to the collection account what had left it twice."""
    payment = refund.payment
    sides = [
        ledger.Posting(ledger.BANK, refund.amount_fen, payment.channel, payment.remitted_in),
        ledger.Posting(ledger.TREASURY, -refund.amount_fen, payment.channel, payment.remitted_in),
    ]
    about = {"refund": refund.number, "close": payment.remitted_in, "document_number": number}
    ledger.post(actor, _key(refund), "returned", ledger.open_day(on), sides, about)


def _was_paid(refund: payments.Refund) -> bool:
    """What was recorded: by the refund's own state, or in the books where the channel had paid it."""
    if refund.way == payments.PAYBACK_WAY:
        return refund.state == "succeeded"
    return ledger.is_posted(EVERYWHERE, _key(refund))


def _key(refund: payments.Refund) -> str:
    return f"returned:{refund.number}"

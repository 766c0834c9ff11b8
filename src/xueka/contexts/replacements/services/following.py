"""What follows by itself: the payment opens the application, the card's way moves the replacement on."""

from datetime import datetime

from django.db import connection, transaction

from xueka.contexts.cards import api as cards
from xueka.contexts.payments import api as payments
from xueka.contexts.replacements import configuration
from xueka.contexts.replacements.domain import rules
from xueka.contexts.replacements.domain import transitions as t
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.common import (
    WORKER,
    change,
    locked,
    make_promise,
    money_words,
    tell,
)
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused, XuekaError
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

#: What has been said of an application that came to nothing.
_ENDED = {"refused": "审核不予受理", "withdrawn": "学校撤回了申领", "cancelled": "申领被取消"}


def accept(replacement: Replacement, started_at: datetime, event: str, actor: Actor) -> None:
    """The money is there, or none is due: the promise is made and the application opened.

    Where no application can be opened any more, it ends at once and what was paid goes back.
    """
    change(replacement, started_at=started_at)
    make_promise(replacement)
    apply(t.REPLACEMENT, Replacement, [replacement.id], event, actor, to=t.PAID)
    replacement.refresh_from_db()
    try:
        with transaction.atomic():
            application_id, problem = _open_application(replacement)
    except XuekaError as error:
        application_id, problem = 0, error.message
    if problem:
        _stop(replacement, problem)
        return
    change(replacement, application_id=application_id)
    assert replacement.promised_on is not None
    day = f"{replacement.promised_on:%-m月%-d日}" + ("（暂定）" if replacement.is_provisional else "")
    tell(replacement, "REPLACEMENT_ACCEPTED", promised=day)


def take_payment(replacement: Replacement) -> None:
    """Go on where the order has been paid, or paid back, in the meantime. The caller holds the lock."""
    if replacement.order_id is None:
        return
    order = payments.orders(EVERYWHERE, [replacement.order_id])[replacement.order_id]
    if replacement.state == t.UNPAID and order.state == "paid":
        accept(replacement, order.success_at or clock.now(), "pay", WORKER)
    elif replacement.state == t.REFUNDING and order.state == "refunded":
        apply(t.REPLACEMENT, Replacement, [replacement.id], "refunded", WORKER)
        replacement.refresh_from_db()


def give_back(replacement: Replacement, event: str, actor: Actor, reason: str) -> None:
    """End it: free of charge at once, else when the money is back with the payer. Of what the finance office
    has given back already, or is giving back, nothing is asked again.
    """
    to = t.CANCELLED
    if replacement.fee_fen and replacement.order_id:
        to = t.REFUNDING
        left = payments.refundable_fen(
            payments.orders(EVERYWHERE, [replacement.order_id])[replacement.order_id]
        )
        if left:
            payments.refund(WORKER, replacement.order_id, left, reason, f"replacement:{replacement.id}")
    change(replacement, stopped_why=reason[:200])
    apply(t.REPLACEMENT, Replacement, [replacement.id], event, actor, to=to, reason=reason)
    replacement.refresh_from_db()


def withdraw_application(replacement: Replacement, why: str) -> None:
    """The application goes back before anything is made. Raises Refused `TOO_LATE`."""
    if replacement.application_id is None:
        raise NotFound("APPLICATION_NOT_FOUND", "没有这份申领。")
    result = cards.withdraw(WORKER, [replacement.application_id], why)
    if result.refused:
        application = cards.application(EVERYWHERE, replacement.application_id)
        if application.state in (cards.ACCEPTED, cards.AT_COUNTER):
            result = cards.cancel_applications(WORKER, [replacement.application_id], why)
    if result.refused:
        raise Refused(
            "TOO_LATE",
            "已经开始制卡，不能取消。",
            action="请等新卡送到；有疑问请联系学校卡管老师。",
        )


def due() -> list[int]:
    """Replacements whose money or card has moved on, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"promised": list(t.PROMISED)})
        return [found for (found,) in cursor.fetchall()]


def follow(replacement_id: int) -> None:
    """Bring one replacement to where its money and its card are; nothing where nothing has moved."""
    replacement = locked(WORKER, replacement_id)
    take_payment(replacement)
    if replacement.state not in t.PROMISED or replacement.application_id is None:
        return
    if replacement.state == t.PAID and _paid_back(replacement) and _stopped_in_time(replacement):
        return
    application = cards.application(EVERYWHERE, replacement.application_id)
    card = _good_card(replacement.application_id)
    if application.state in _ENDED:
        said = application.refusal_text or cards.REASON_CODES.get(application.refusal_code, "")
        _stop(replacement, "：".join(part for part in (_ENDED[application.state], said) if part))
        return
    state = card.state if card else ""
    there = state in ("at_school", "ready", "active")
    if (
        replacement.state in (t.TO_POST, t.ON_THE_WAY)
        and application.state != "fulfilled"
        and not (there or state == "in_transit")
    ):
        change(replacement, delivered_at=None, carrier="", waybill="")
        _step(replacement, "redo")
    if (
        application.state == "accepted"
        and replacement.delivery != rules.SCHOOL
        and not replacement.to_counter
    ):
        cards.to_counter(WORKER, [application.id])
        change(replacement, to_counter=True)
    if application.state not in ("in_production", "fulfilled"):
        return
    _step(replacement, "make")
    by_post = state == "ready" and replacement.delivery == rules.HOME
    if by_post:
        _step(replacement, "await_post")
    elif state in ("in_transit", "at_school", "ready"):
        _step(replacement, "send")
    if there and not by_post and replacement.delivered_at is None and replacement.state == t.ON_THE_WAY:
        _arrived(replacement, rules.DISTRICT if state == "ready" else rules.SCHOOL)
    if application.state == "fulfilled":
        change(replacement, delivered_at=replacement.delivered_at or clock.now())
        _step(replacement, "hand_out")


def old_ones() -> list[int]:
    """Replacements that were begun long ago and neither handed in nor paid."""
    rows = Replacement.objects.filter(
        state__in=[t.DRAFT, t.UNPAID], created_at__lte=clock.now() - rules.LAPSES_AFTER
    )
    return list(rows.order_by("id").values_list("id", flat=True)[:500])


def lapse(replacement_id: int) -> None:
    """What nobody went on with ends. One whose order may still be paid is left alone."""
    replacement = locked(WORKER, replacement_id)
    take_payment(replacement)
    live = replacement.order is not None and replacement.order.state == "open"
    old = replacement.created_at <= clock.now() - rules.LAPSES_AFTER
    if old and not live and t.REPLACEMENT.allows("lapse", replacement.state):
        apply(t.REPLACEMENT, Replacement, [replacement.id], "lapse", WORKER)


def settle_promises() -> int:
    """Provisional promises become final once the next year's notice is loaded; returns how many did."""
    rows = Replacement.objects.filter(state__in=t.PROMISED, is_provisional=True).order_by("id")
    settled = 0
    for replacement in rows.select_for_update():
        make_promise(replacement)
        settled += not replacement.is_provisional
    return settled


def forget_addresses() -> int:
    """Thirty days after its end, nobody needs to know where a card was posted to."""
    final = [state.code for state in t.REPLACEMENT.states if state.final]
    old = Replacement.objects.filter(state__in=final, state_at__lte=clock.now() - rules.LAPSES_AFTER)
    return old.exclude(address=b"").update(address=b"")


def _open_application(replacement: Replacement) -> tuple[int, str]:
    """(application id, "") or (0, why not)."""
    opened = cards.create_applications(
        WORKER, [replacement.student_id], replacement.kind_id, replacement.reason
    )
    if opened.refused:
        return 0, opened.refused[0][2]
    handed_in = cards.submit(WORKER, opened.done)
    if handed_in.refused:
        why = handed_in.refused[0][2]
        cards.withdraw(WORKER, opened.done, why)
        return 0, why
    return opened.done[0], ""


def _paid_back(replacement: Replacement) -> bool:
    """Whether the finance office has given the whole fee back, or is giving it back."""
    if replacement.order_id is None:
        return False
    order = payments.orders(EVERYWHERE, [replacement.order_id])[replacement.order_id]
    return payments.refundable_fen(order) == 0


def _stopped_in_time(replacement: Replacement) -> bool:
    """No card is made for money that went back; one that is being made already is not called back."""
    why = "费用已全部退回"
    try:
        with transaction.atomic():
            withdraw_application(replacement, why)
    except Refused:
        return False
    _stop(replacement, why)
    return True


def _stop(replacement: Replacement, why: str) -> None:
    give_back(replacement, "stop", WORKER, why)
    tell(replacement, "REPLACEMENT_STOPPED", reason=why, money=money_words(replacement))


def _step(replacement: Replacement, event: str) -> None:
    """Fire `event` where the table has it; a step that was taken before is no step."""
    if t.REPLACEMENT.allows(event, replacement.state):
        apply(t.REPLACEMENT, Replacement, [replacement.id], event, WORKER)
        replacement.refresh_from_db(fields=["state", "state_at"])


def _arrived(replacement: Replacement, where: str) -> None:
    """`where` the card is, which need not be where it was asked for: an officer may have sent it to another
    place.
    """
    change(replacement, delivered_at=clock.now())
    place = configuration.place_words(where)
    tell(replacement, "REPLACEMENT_ARRIVED", place=place)


def _good_card(application_id: int) -> cards.Card | None:
    dead = ("failed", "void", "cancelled", "destroyed")
    found = cards.card_rows(EVERYWHERE).filter(application=application_id).exclude(state__in=dead)
    return found.order_by("-id").first()


_DUE = """
SELECT r.id
  FROM replacements_replacement r
  LEFT JOIN payments_order o ON o.id = r.order_id
  LEFT JOIN cards_application a ON a.id = r.application_id
  LEFT JOIN cards_card c ON c.application_id = a.id
        AND c.state NOT IN ('failed', 'void', 'cancelled', 'destroyed')
 WHERE (r.state = 'unpaid' AND o.state = 'paid')
    OR (r.state = 'refunding' AND o.state = 'refunded')
    OR (r.state = 'paid' AND o.state IN ('refunding', 'refunded') AND o.amount_fen = (
           SELECT sum(f.amount_fen) FROM payments_refund f
            WHERE f.order_id = o.id AND f.source = 'income' AND f.state <> 'failed'))
    OR r.state = ANY(%(promised)s) AND (
           a.state IN ('fulfilled', 'refused', 'withdrawn', 'cancelled')
        OR (a.state = 'accepted' AND r.delivery <> 'school' AND NOT r.to_counter)
        OR (r.state = 'paid' AND a.state = 'in_production')
        OR (r.state = 'making' AND c.state IN ('in_transit', 'at_school', 'ready'))
        OR (r.state = 'to_post' AND r.delivery <> 'home' AND c.state = 'ready')
        OR (r.state = 'on_the_way' AND r.delivered_at IS NULL AND r.delivery <> 'home'
            AND c.state IN ('at_school', 'ready'))
        OR (r.state IN ('to_post', 'on_the_way')
            AND (c.id IS NULL OR c.state NOT IN ('in_transit', 'at_school', 'ready', 'active'))))
 ORDER BY r.id LIMIT 500
"""

"""What a family asks for, and the school officer on its behalf: begin, where to, hand in, call off."""

from xueka.contexts.cards import api as cards
from xueka.contexts.payments import api as payments
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements.domain import rules
from xueka.contexts.replacements.domain import transitions as t
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.common import WORKER, change, locked, tell
from xueka.contexts.replacements.services.following import (
    accept,
    give_back,
    take_payment,
    withdraw_application,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.money import format_yuan
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal
from xueka.platform.history.services import apply
from xueka.platform.history.services import begin as begin_history
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, GUARDIAN


def consent_missing(student: registry.Student) -> bool:
    """Whether a guardian has to consent first: the child is under 14 and nobody has, or has withdrawn."""
    young = rules.needs_consent(registry.born_on(student), clock.today())
    return young and student.id in registry.without_consent([student.id])


def quote(card: cards.Card, reason: str) -> payments.Fee:
    """What it would cost today to replace this card for this reason."""
    before = cards.application_rows(EVERYWHERE).filter(
        account=card.account_id, kind=card.kind_id, reason=reason, state__in=_COUNTED
    )
    return payments.quote(EVERYWHERE, reason, card.kind_id, before.count(), clock.today())


def why_not(card: cards.Card, reason: str) -> str:
    """Why this card cannot be replaced for this reason now; empty where it can."""
    try:
        _check(card, reason)
    except (Refused, BadInput) as refusal:
        return refusal.message
    return ""


def begin(actor: Actor, card_number: str, reason: str) -> Replacement:
    """Begin, or go on with what was begun and not handed in; the reason may still change then.

    Raises NotFound for a card outside the scope; BadInput `REASON_UNKNOWN`; Refused `CONSENT_NEEDED`,
    `REPLACEMENT_OPEN`, `PHOTO_MISSING`, and what stands against an application (`NOT_REPORTED_LOST` …).
    """
    actor.require(t.ASK)
    card = cards.card(actor.scope, card_number)
    registry.Student.objects.select_for_update().get(id=card.student_id)
    present = Replacement.objects.filter(student=card.student_id, kind=card.kind_id, state__in=t.OPEN).first()
    if present is not None and present.state != t.DRAFT:
        raise Refused(
            "REPLACEMENT_OPEN",
            f"已有办理中的{rules.REASONS[present.reason][0]} {present.number}。",
            action="请查看它的进度；要重办请先取消它。",
        )
    _check(card, reason)
    fee = quote(card, reason)
    known = {
        "reason": reason,
        "old_card": card,
        "fee_fen": fee.amount_fen,
        "fine": fee.fine,
        "tariff": fee.tariff_version,
        "free_reason": fee.free_reason,
    }
    if present is not None:
        change(present, **known)
        return present
    made = Replacement.objects.create(
        number="",
        student_id=card.student_id,
        kind_id=card.kind_id,
        state=t.REPLACEMENT.initial,
        state_at=clock.now(),
        created_at=clock.now(),
        created_by=actor.username,
        **known,
    )
    change(made, number=f"BK{clock.today():%y}{made.id:08d}")
    begin_history(t.REPLACEMENT, [made.id], actor, detail={"reason": reason})
    record(actor, "replacement.begin", "replacement", made.number, detail={"reason": reason})
    return made


def choose_delivery(
    actor: Actor, replacement_id: int, delivery: str, address: rules.Address | None = None
) -> Replacement:
    """Where the new card goes; may be changed until the card is made. One that is made at a counter may still
    be posted or collected there until it is given to the carrier.

    Raises NotFound; BadInput `DELIVERY_UNKNOWN`, `ADDRESS_MISSING`; Refused `TOO_LATE`.
    """
    actor.require(t.ASK)
    replacement = locked(actor, replacement_id)
    if delivery not in rules.DELIVERIES:
        raise BadInput("DELIVERY_UNKNOWN", "请选择送达方式。", expected="、".join(rules.DELIVERIES.values()))
    if (delivery == rules.HOME) != (address is not None):
        raise BadInput("ADDRESS_MISSING", "请填写收件人、手机和地址。", where="收件地址")
    if delivery not in rules.may_go(replacement.state, replacement.to_counter):
        raise Refused("TOO_LATE", "已经开始制卡，不能再改送达方式。", action="请联系学校卡管老师。")
    sealed = b""
    if address is not None:
        sealed = seal({"name": address.name, "phone": address.phone, "address": address.address})
    change(replacement, delivery=delivery, address=sealed, bounced_why="")
    record(actor, "replacement.delivery", "replacement", replacement.number, detail={"delivery": delivery})
    return replacement


def submit(actor: Actor, replacement_id: int) -> Replacement:
    """Hand in: a free one is accepted at once, any other waits for its order to be paid.

    Raises NotFound; Refused `DELIVERY_NOT_CHOSEN`, `FEE_CHANGED` (the new one is then shown), and all that
    `begin` raises.
    """
    actor.require(t.ASK)
    replacement = locked(actor, replacement_id)
    t.REPLACEMENT.target("submit", replacement.state, t.PAID)
    if not replacement.delivery:
        raise Refused("DELIVERY_NOT_CHOSEN", "还没有选送达方式。", action="请先选择新卡送到哪里。")
    card = cards.card(actor.scope, replacement.old_card.number)
    _check(card, replacement.reason)
    fee = quote(card, replacement.reason)
    if (fee.amount_fen, fee.fine) != (replacement.fee_fen, replacement.fine):
        raise Refused(
            "FEE_CHANGED",
            "收费标准已经变了。",
            found=format_yuan(fee.amount_fen),
            expected=format_yuan(replacement.fee_fen),
            action="请重新选择补换原因，确认新的费用后再提交。",
        )
    record(actor, "replacement.submit", "replacement", replacement.number, detail={"fee_fen": fee.amount_fen})
    if replacement.fee_fen == 0:
        accept(replacement, clock.now(), "submit", actor)
        return replacement
    _order(actor, replacement)
    apply(t.REPLACEMENT, Replacement, [replacement.id], "submit", actor, to=t.UNPAID)
    if actor.scope.level != GUARDIAN:  # the school has done it for the family, who has to know
        tell(replacement, "REPLACEMENT_TO_PAY", amount=format_yuan(replacement.fee_fen))
    replacement.refresh_from_db()
    return replacement


def order_to_pay(actor: Actor, replacement_id: int) -> payments.Order:
    """The order that waits to be paid; where the last one ran out, a new one.

    Raises NotFound; Refused `NOTHING_TO_PAY` where nothing is to be paid any more.
    """
    actor.require(t.ASK)
    replacement = locked(actor, replacement_id)
    take_payment(replacement)
    if replacement.state != t.UNPAID:
        label = t.REPLACEMENT.state(replacement.state).label
        raise Refused("NOTHING_TO_PAY", f"{label}，现在不用缴费。", action="请返回查看进度。")
    return _order(actor, replacement)


def cancel(actor: Actor, replacement_id: int) -> Replacement:
    """Call off before the card is made; what was paid goes back by itself.

    Raises NotFound; Refused `TOO_LATE`, `TRANSITION_NOT_ALLOWED`.
    """
    actor.require(t.ASK)
    replacement = locked(actor, replacement_id)
    take_payment(replacement)
    if replacement.state == t.PAID:
        withdraw_application(replacement, f"{replacement.number} 已取消")
        give_back(replacement, "cancel", actor, "家庭取消")
    else:
        if replacement.state == t.UNPAID and replacement.order and replacement.order.state == "open":
            payments.cancel_order(actor, replacement.order.id)
        apply(t.REPLACEMENT, Replacement, [replacement.id], "cancel", actor, to=t.CANCELLED)
    record(actor, "replacement.cancel", "replacement", replacement.number)
    replacement.refresh_from_db()
    return replacement


#: Earlier ones count where a card was made for them, or is about to be.
_COUNTED = ("accepted", "at_counter", "in_production", "fulfilled")


def _check(card: cards.Card, reason: str) -> None:
    if reason not in rules.REASONS:
        expected = "、".join(name for name, _ in rules.REASONS.values())
        raise BadInput("REASON_UNKNOWN", "请选择补换的原因。", found=reason[:20], expected=expected)
    if consent_missing(card.student):
        raise Refused(
            "CONSENT_NEEDED",
            "孩子未满 14 周岁，需要监护人先同意处理个人信息。",
            action="请阅读告知书并选择同意。",
        )
    for _, code, message in cards.preview_create(WORKER, [card.student_id], card.kind_id, reason).refused:
        raise Refused(code, message)
    if card.kind.photo_required and not cards.latest_photos(EVERYWHERE, [card.student_id]):
        raise Refused(
            "PHOTO_MISSING", "学校还没有上传孩子的照片，不能制卡。", action="请联系学校卡管老师上传照片。"
        )


def _order(actor: Actor, replacement: Replacement) -> payments.Order:
    """The live order of the replacement, made where there is none; the actor may be the school's."""
    made = payments.create_order(
        actor,
        student_id=replacement.student_id,
        subject=f"replacement:{replacement.id}",
        title=f"学生卡{rules.REASONS[replacement.reason][0]}",
        amount_fen=replacement.fee_fen,
        fine=replacement.fine,
        tariff=replacement.tariff,
    )
    change(replacement, order=made)
    return made

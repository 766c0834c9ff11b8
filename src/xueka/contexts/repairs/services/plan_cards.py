"""Named repairs of cards and applications: which steps put them right, and when they may not."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.repairs.domain.steps import Step
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.history import queries as history
from xueka.platform.identity.actor import Actor

Params = Mapping[str, str]


def undo_hand_out(actor: Actor, params: Params) -> list[Step]:
    """A card went to the wrong child: it is at school again, the card that it replaced lives again."""
    card = cards.card(actor.scope, params["card"])
    step = _last(card, "hand_out", "这张卡最后办的不是发放")
    place = logistics.BoxCard.objects.filter(card=card).order_by("-id").first()
    if place is None or place.is_here or place.box.state != "received":
        raise Refused("NO_PLACE", f"学生卡 {card.number} 没有可以回去的卡箱。", action="请按损坏换卡办理。")
    _no_open_application(card.account_id, card.kind_id)
    steps = [
        Step("card", card.id, card.number, "state", "active", step.from_state),
        Step(
            "application", card.application_id, card.application.number, "state", "fulfilled", "in_production"
        ),
        *_numbers(card, "assigned"),
        Step("place", place.id, f"{place.box.number} 第 {place.position} 张", "is_here", False, True),
    ]
    for old in cards.Card.objects.filter(student=card.student_id, kind=card.kind_id, state="cancelled"):
        last = history.last_steps("card", [old.id])[old.id]
        if last.detail.get("replaced_by") == card.number:
            steps.append(Step("card", old.id, old.number, "state", "cancelled", last.from_state))
    return steps


def card_back(actor: Actor, params: Params) -> list[Step]:
    """A mistaken report of loss or cancelling: the card is in the state in which it was before."""
    card = cards.card(actor.scope, params["card"])
    last = history.last_steps("card", [card.id])[card.id]
    if last.event not in {"report_lost", "cancel"}:
        raise Refused(
            "NOT_LOST_OR_CANCELLED",
            f"学生卡 {card.number} 最后办的不是挂失或注销，不能这样修复。",
            found=cards.CARD.state(card.state).label,
        )
    _in_time(card, last.at)
    others = cards.Card.objects.filter(student=card.student_id, kind=card.kind_id).exclude(id=card.id)
    if newer := others.filter(state__in=[*cards.LIVE, *cards.BEFORE_HAND_OUT]).first():
        raise Refused("REPLACED", f"已有另一张卡 {newer.number}，原卡不能恢复。", found=newer.number)
    _no_open_application(card.account_id, card.kind_id)
    return [Step("card", card.id, card.number, "state", card.state, last.from_state)]


def unvoid(actor: Actor, params: Params) -> list[Step]:
    """A card was voided by mistake and is physically there: it and its numbers are used after all."""
    card = cards.card(actor.scope, params["card"])
    last = _last(card, "void", "这张卡不是作废的")
    if last.from_state != "made":
        label = cards.CARD.state(last.from_state).label
        said = "只有制成后、装箱前作废的卡能恢复。"
        raise Refused("NOT_AT_HAND", said, found=f"作废前{label}", action="请重制一张。")
    application = card.application
    if application.state not in {"accepted", "cancelled"} or _others_of(application.id, card.id):
        raise Refused("REMADE", f"申领 {application.number} 已另行制卡，不能恢复这一张。")
    if application.state == "cancelled":
        _no_open_application(card.account_id, card.kind_id)
    return [
        Step("card", card.id, card.number, "state", "void", last.from_state),
        *_numbers(card, "assigned"),
        Step("application", application.id, application.number, "state", application.state, "in_production"),
    ]


def reopen_application(actor: Actor, params: Params) -> list[Step]:
    """An application was refused, withdrawn or cancelled by mistake: it waits where it waited before."""
    found = cards.application(actor.scope, params["application"])
    if found.state not in {"refused", "withdrawn", "cancelled"}:
        label = cards.APPLICATION.state(found.state).label
        raise Refused("NOT_ENDED", f"申领 {found.number} 没有结束，不必重开。", found=label)
    last = history.last_steps("application", [found.id])[found.id]
    if last.from_state == "in_production":
        raise Refused("WAS_IN_PRODUCTION", "取消时已在制卡，请用“误作废的卡恢复”。")
    _no_open_application(found.account_id, found.kind_id)
    live = cards.Card.objects.filter(account=found.account_id, kind=found.kind_id, state__in=cards.LIVE)
    if found.reason == "new" and live.exists():
        raise Refused("HAS_CARD", "学生已有在用的卡，新领不能重开。", action="请按补换卡重新申领。")
    steps = [Step("application", found.id, found.number, "state", found.state, last.from_state)]
    for field in ("refusal_code", "refusal_text"):
        if value := getattr(found, field):
            steps.append(Step("application", found.id, found.number, field, value, ""))
    return steps


def _last(card: cards.Card, event: str, otherwise: str) -> history.Step:
    last = history.last_steps("card", [card.id])[card.id]
    if last.event != event:
        raise Refused(
            "MOVED_ON",
            f"学生卡 {card.number}：{otherwise}。",
            found=cards.CARD.state(card.state).label,
            action="请先看这张卡的经过。",
        )
    _in_time(card, last.at)
    return last


def _in_time(card: cards.Card, at: datetime) -> None:
    if clock.now() - at > timedelta(days=settings.REPAIR_CARD_DAYS):
        raise Refused(
            "TOO_LATE",
            f"学生卡 {card.number} 的这一步已超过 {settings.REPAIR_CARD_DAYS} 天，不能再恢复。",
            found=f"{clock.local(at):%Y-%m-%d}",
            action="请按补换卡办理。",
        )


def _numbers(card: cards.Card, to: str) -> list[Step]:
    state = numbers.state_on_card(card.id)
    return [Step("numbers", card.id, card.number, "state", state, to)] if state and state != to else []


def _others_of(application_id: int, card_id: int) -> bool:
    good = [*cards.BEFORE_HAND_OUT, *cards.LIVE]
    rows = cards.Card.objects.filter(application=application_id, state__in=good)
    return rows.exclude(id=card_id).exists()


def _no_open_application(account_id: int, kind: str) -> None:
    ended = ["fulfilled", "refused", "withdrawn", "cancelled"]
    rows = cards.Application.objects.filter(account=account_id, kind=kind).exclude(state__in=ended)
    if other := rows.first():
        raise Refused(
            "APPLICATION_OPEN",
            f"已有办理中的申领 {other.number}。",
            found=other.number,
            action="请先撤回或取消那一份。",
        )

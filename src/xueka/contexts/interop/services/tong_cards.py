"""What Beijing-Tong says of one card: its own application blocked, unblocked, its number withdrawn."""

from xueka.contexts.cards import api as cards
from xueka.contexts.interop.domain.transitions import BLOCKED, TONG_APPLICATION, WITHDRAWN
from xueka.contexts.interop.models import TongApplication
from xueka.kernel import clock
from xueka.kernel.contents import CARD, NUMBER, Content
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.exchange.applying import Message
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor


def application_blocked(actor: Actor, message: Message) -> None:
    """`application.blocked`: their application may not be used; the card itself goes on (ADR 0265).

    Raises BadInput `CONTENT_WRONG`, NotFound `CARD_UNKNOWN`, Refused `NUMBER_MISMATCH`, `KEY_MISMATCH`,
    `TONG_WITHDRAWN`.
    """
    told = Content(message.data)
    card = card_told(actor, message, told)
    reason = told.text("reason", 200)
    found = _application(actor, card)
    if found.state == BLOCKED:
        TongApplication.objects.filter(id=found.id).update(reason=reason)
        return
    _move(actor, found, "block", card, reason)


def application_unblocked(actor: Actor, message: Message) -> None:
    """`application.unblocked`: it may be used again; one that was never blocked stays as it is."""
    told = Content(message.data)
    card = card_told(actor, message, told)
    reason = told.text("reason", 200, optional=True)
    found = _application(actor, card)
    if found.state == TONG_APPLICATION.initial:
        return
    _move(actor, found, "unblock", card, reason)


def number_withdrawn(actor: Actor, message: Message) -> None:
    """`number.withdrawn`: the number on the card counts no more. The card bears it printed, so an exchange is
    opened as a draft for the school to send in; where there can be none, the card's page says why. Said again
    it changes nothing.
    """
    told = Content(message.data)
    card = card_told(actor, message, told)
    reason = told.text("reason", 200)
    found = _application(actor, card, withdrawn=True)
    if found.state == WITHDRAWN:
        return
    _move(actor, found, "withdraw", card, reason)
    exchange, note = open_exchange(actor, card)
    TongApplication.objects.filter(id=found.id).update(exchange_id=exchange, note=note)


def open_exchange(actor: Actor, card: cards.Card) -> tuple[int | None, str]:
    """A draft by which the card is exchanged for one that says what is true: its id, or why there is none."""
    if card.state not in cards.LIVE:
        label = cards.CARD.state(card.state).label
        return None, f"这张卡{label}，不必换卡"
    result = cards.create_applications(actor, [card.student_id], card.kind_id, "data_change")
    if result.done:
        return result.done[0], ""
    [(_, _, why)] = result.refused
    return None, why[:200]


def card_told(actor: Actor, message: Message, told: Content) -> cards.Card:
    """The card that a message is about: its number, its key and its Beijing-Tong number belong together."""
    number = told.word("card", CARD, "卡号")
    bears = told.word("beijing_tong_number", NUMBER, "北京通号")
    return cards.card_told(actor.scope, message.key, number, bears)


def _application(actor: Actor, card: cards.Card, *, withdrawn: bool = False) -> TongApplication:
    """The row of the card, locked; made where there was nothing to tell so far. Raises Refused
    `TONG_WITHDRAWN` unless that is what is told.
    """
    found, made = TongApplication.objects.get_or_create(
        card=card, defaults={"state": TONG_APPLICATION.initial, "state_at": clock.now()}
    )
    if made:
        begin(TONG_APPLICATION, [found.id], actor)
    found = TongApplication.objects.select_for_update().get(id=found.id)
    if found.state == WITHDRAWN and not withdrawn:
        raise Refused(
            "TONG_WITHDRAWN",
            f"卡 {card.number} 的北京通号已收回，不能再变。",
            found=TONG_APPLICATION.state(found.state).label,
            action="请与对方核实；换发的卡有新的号码。",
        )
    return found


def _move(actor: Actor, found: TongApplication, event: str, card: cards.Card, reason: str) -> None:
    TongApplication.objects.filter(id=found.id).update(reason=reason)
    apply(TONG_APPLICATION, TongApplication, [found.id], event, actor, reason=reason)
    record(actor, f"tong_application.{event}", "card", card.number, detail={"reason": reason})

"""The acts of a counter that need to know of chip and face both: the only way to a finished card.

Nothing is printed before the chip is proved, nothing is finished before both are; plastic that is given up
leaves the stock, takes its card with it, and is counted once.
"""

from xueka.contexts.cards import api as cards
from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.models import Session
from xueka.contexts.personalization.services.sessions import abort
from xueka.contexts.printing import api as printing
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor


def print_face(
    actor: Actor, card_id: int, printer_id: int, *, reason: str = "", note: str = ""
) -> printing.PrintJob:
    """Queue the face of a card whose chip is proved. Raises Refused `NOT_WRITTEN`, and what
    `printing.request_print` raises.
    """
    plastic = _proved(cards.being_issued(actor, card_id))
    return printing.request_print(actor, card_id, printer_id, plastic=plastic, reason=reason, note=note)


def finish(actor: Actor, card_id: int) -> cards.Card:
    """Chip proved, face printed on the same plastic, and somebody has looked: the card may be given.

    Raises Refused `NOT_WRITTEN`, `NOT_PRINTED`, and what `cards.finish_at_counter` raises.
    """
    plastic = _proved(cards.being_issued(actor, card_id))
    printing.require_printed(card_id, plastic)
    return cards.finish_at_counter(actor, card_id, plastic)


def throw_away(actor: Actor, card_id: int, printer_id: int, reason: str, note: str = "") -> None:
    """This plastic will not become the card: what is written on it is given up, its card fails, and its
    application waits for another one. `reason` is a code of printing.SPOIL_REASONS.

    Raises BadInput without a reason, Refused while a run or a print is under way.
    """
    card = cards.card(actor.scope, card_id)
    said = "：".join(part for part in (printing.SPOIL_REASONS.get(reason, "作废"), note.strip()) if part)
    open_ = Session.objects.filter(card_id=card_id, state__in=t.OPEN).first()
    if open_ is not None:
        abort(actor, open_.pk, said)
        card.refresh_from_db()
    _box(actor, card, printer_id, reason, note)
    if card.state in (cards.ISSUING, cards.READY):
        cards.spoil_at_counter(actor, card_id, said)


def scrap(actor: Actor, card_id: int, printer_id: int) -> None:
    """The plastic of a card that failed by itself lies in the box: counted, if the line has not done so."""
    _box(actor, cards.card(actor.scope, card_id), printer_id, "chip", "")


def _box(actor: Actor, card: cards.Card, printer_id: int, reason: str, note: str) -> None:
    """Count the plastic of this card once, by its chip where that is known."""
    plastic = plastic_of(card)
    known = printing.spoils(actor.scope).filter(card=card)
    if printing.is_spoilt(plastic) or (card.state == cards.FAILED and known.filter(plastic=plastic).exists()):
        return
    printing.spoil_plastic(actor, printer_id, reason, note, card_id=card.id, plastic=plastic)


def plastic_of(card: cards.Card) -> str:
    """The chip that this card is on, as far as it is known: nothing that it was only held against."""
    made = Session.objects.filter(card_id=card.id, purpose="make").order_by("-id").first()
    return card.chip_uid or (made.chip_uid if made else "")


def _proved(card: cards.Card) -> str:
    """The chip of a card that was written and read back; empty for a kind without chip."""
    if not card.kind.has_chip:
        return ""
    made = Session.objects.filter(card_id=card.id, purpose="make", state=t.VERIFIED).first()
    if made is None:
        raise Refused("NOT_WRITTEN", "芯片还没有写好并验证。", action="请先写芯片。")
    return made.chip_uid

"""From the bureau's hand-over to the student's hand: logistics moves boxes, this moves their cards."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from xueka.contexts.cards.domain.bulk import BulkResult, Refusal
from xueka.contexts.cards.domain.states import LIVE
from xueka.contexts.cards.domain.transitions import APPLICATION, CARD
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.cards.queries import cards_to_pack
from xueka.contexts.cards.services.common import fetch_cards, in_order, lock_applications_of, lock_cards
from xueka.contexts.numbers import api as numbers
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

Detail = Mapping[str, Any]


def lock_to_pack(actor: Actor, card_ids: Collection[int] | None = None) -> list[Card]:
    """The cards of `cards_to_pack`, locked: read after that, they lie where their school is now."""
    found = [card.id for card in cards_to_pack(actor.scope, card_ids)]
    lock_cards(actor, found)
    return cards_to_pack(actor.scope, found)


def pack(
    actor: Actor,
    card_ids: Sequence[int],
    *,
    detail: Detail | None = None,
    details: Mapping[int, Detail] | None = None,
) -> None:
    """Made cards go into boxes; `detail` (box, delivery, waybill) appears in each card's timeline."""
    _step("pack", actor, card_ids, detail, details)


def unpack(actor: Actor, card_ids: Sequence[int], *, detail: Detail | None = None) -> None:
    """Cards come out of a box that has not left."""
    _step("unpack", actor, card_ids, detail)


def dispatch(actor: Actor, card_ids: Sequence[int], *, detail: Detail | None = None) -> None:
    """Packed cards leave for the school."""
    _step("dispatch", actor, card_ids, detail)


def receive(actor: Actor, card_ids: Sequence[int], *, detail: Detail | None = None) -> None:
    """The school has the cards in its hands."""
    _step("receive", actor, card_ids, detail)


def hand_out(actor: Actor, card_ids: Sequence[int]) -> BulkResult:
    """Give cards to their students: from now they live.

    A live card of the same kind is cancelled first, in the same transaction; the database constraint
    `cards_one_live_per_kind` stands behind that. The application is fulfilled and the numbers are used.
    """
    actor.require("school:card:hand_out")
    lock_applications_of(card_ids)
    cards, old = lock_with_old(actor, card_ids)
    result = BulkResult()
    for card in in_order(cards, card_ids):
        if found := _refusal(card):
            result.refused.append(found)
        else:
            result.done.append(card.id)
    done = set(result.done)
    chosen = [card for card in cards if card.id in done]
    replaced = {old[card.student_id, card.kind_id].id: card for card in chosen if _key(card) in old}
    apply(
        CARD,
        Card,
        list(replaced),
        "cancel",
        actor,
        reason="已换发新卡",
        details={old_id: {"replaced_by": card.number} for old_id, card in replaced.items()},
    )
    apply(CARD, Card, result.done, "hand_out", actor)
    apply(APPLICATION, Application, [card.application_id for card in chosen], "fulfil", actor)
    numbers.mark_used(result.done)
    record(
        actor,
        "card.hand_out",
        "card",
        chosen[0].number if len(chosen) == 1 else "",
        detail={"done": len(result.done), "replaced": len(replaced), "refused": result.reasons()},
    )
    return result


def lock_for_hand_out(actor: Actor, card_ids: Sequence[int]) -> None:
    """Take the locks of `hand_out` beforehand, so that what is looked at afterwards still holds then."""
    actor.require("school:card:hand_out")
    lock_applications_of(card_ids)
    lock_with_old(actor, card_ids)


def preview_hand_out(actor: Actor, card_ids: Sequence[int]) -> BulkResult:
    """What `hand_out` would do. Changes nothing."""
    actor.require("school:card:hand_out")
    result = BulkResult()
    for card in in_order(fetch_cards(actor, card_ids, lock=False), card_ids):
        if found := _refusal(card):
            result.refused.append(found)
        else:
            result.done.append(card.id)
    return result


def _refusal(card: Card) -> Refusal | None:
    try:
        CARD.target("hand_out", card.state)
    except Refused as refusal:
        return Refusal(card.id, refusal.code, refusal.message)
    return None


def lock_with_old(actor: Actor, card_ids: Sequence[int]) -> tuple[list[Card], dict[tuple[int, str], Card]]:
    """The cards and the live ones they replace, all locked in one sweep by id."""
    wanted = fetch_cards(actor, card_ids, lock=False)
    live = Card.objects.filter(student__in=[card.student_id for card in wanted], state__in=LIVE)
    kinds = {_key(card) for card in wanted}
    ids = [card.id for card in live if _key(card) in kinds] + [card.id for card in wanted]
    locked = list(Card.objects.filter(id__in=ids).order_by("id").select_for_update())
    new = set(card_ids)
    old = {_key(card): card for card in locked if card.state in LIVE and card.id not in new}
    return [card for card in locked if card.id in new], old


def _key(card: Card) -> tuple[int, str]:
    return card.student_id, card.kind_id


def _step(
    event: str,
    actor: Actor,
    card_ids: Sequence[int],
    detail: Detail | None,
    details: Mapping[int, Detail] | None = None,
) -> None:
    lock_cards(actor, card_ids)
    apply(CARD, Card, card_ids, event, actor, detail=detail, details=details)
    record(actor, f"card.{event}", "card", "", detail={"count": len(card_ids), **(detail or {})})

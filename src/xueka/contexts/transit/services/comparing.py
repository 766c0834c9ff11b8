"""What becomes of a record on which the daily comparison found the two sides unlike (contexts/interop)."""

from collections.abc import Sequence
from datetime import datetime

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.domain import validity
from xueka.contexts.transit.domain.transitions import BINDING, BOUND, SENT
from xueka.contexts.transit.models import Binding, HotCard
from xueka.contexts.transit.services.bindings import letters
from xueka.contexts.transit.services.hot_list import letter
from xueka.contexts.transit.services.validity import keep
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.exchange.services import Letter
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor


def binding_letters(keys: Sequence[str]) -> dict[str, Letter]:
    """Our last question about each of these cards, or that it is released. Held until it is told: else a
    release that is told meanwhile would be followed by this older question.
    """
    rows = Binding.objects.select_for_update(of=("self",)).filter(card__number__in=keys, ask__gte=1)
    found = rows.select_related("card__student").order_by("id")
    return {each.card.number: letters([each])[0] for each in found}


def hot_letters(keys: Sequence[str]) -> dict[str, Letter]:
    """The same of the hot-list."""
    rows = HotCard.objects.select_for_update(of=("self",)).filter(card__number__in=keys)
    found = rows.select_related("card").order_by("id")
    return {each.card.number: letter(each, each.card, again=True) for each in found}


def take_binding(actor: Actor, key: str, theirs: str, seen_at: datetime) -> None:
    """They have bound the card and their answer was lost: it is bound."""
    found = Binding.objects.select_for_update().filter(card__number=key).first()
    if not theirs or found is None or found.state not in (SENT, BOUND):
        raise Refused("OURS_IS_THE_TRUTH", "本方没有在等这张卡的实名答复，不能采纳。", action="请补发。")
    if found.state == SENT:
        apply(BINDING, Binding, [found.pk], "accept", actor)


def take_validity(actor: Actor, key: str, theirs: str, seen_at: datetime) -> None:
    """Validity is theirs to say. `theirs` is the record of docs/interfaces/transit.md §9 as it was `seen_at`:
    what they told since then is later.
    """
    card = cards.Card.objects.filter(number=key).first()
    told = dict(zip(("card", "transit_number", "fare", "valid_until"), theirs.split("|"), strict=False))
    try:
        heard = validity.read({**told, "as_of": seen_at.isoformat()})
    except BadInput as wrong:
        raise Refused(
            "TRANSIT_CARD",
            "对方的记录不合约定，不能采纳。",
            where=wrong.where,
            found=key,
            action="请对方改正。",
        ) from None
    if card is None or (heard.card, heard.transit_number) != (key, card.transit_number):
        raise Refused("TRANSIT_CARD", "对方的记录与本方的卡不符，不能采纳。", found=key)
    if not keep(card, heard):
        raise Refused(
            "TOLD_SINCE",
            "核对之后一卡通公司又告知了有效期，不能采纳核对时的旧记录。",
            found=key,
            action="请等下一次核对。",
        )

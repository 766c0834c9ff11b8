"""What the platform is told: a card and its holder, whenever one of the two changes what entitles.

`settle` looks at a card as it is and tells what is missing, so looking twice changes nothing.
"""

from collections.abc import Sequence

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.welfare.domain import holders
from xueka.contexts.welfare.models import EntitledCard
from xueka.contexts.welfare.services.common import CODE
from xueka.kernel import clock
from xueka.platform.exchange.services import Letter, post_many

WITH = ("student", "application__old_card")


def settle(found: Sequence[cards.Card]) -> int:
    """Tell what has changed of these cards since they were last told; returns how many. A card is told from
    the day that its student holds it.
    """
    rows = EntitledCard.objects.select_for_update().filter(card__in=[each.id for each in found])
    known = {each.card_id: each for each in rows.order_by("id")}
    now, letters = clock.now(), []
    for card in sorted(found, key=lambda each: each.id):
        state, holder, row = holders.outside(card.state), holder_of(card), known.get(card.id)
        if row is None:
            if (state, holder) != (holders.ACTIVE, holders.ENROLLED) or not card.beijing_tong_number:
                continue
            row = EntitledCard.objects.create(card=card, state=state, holder=holder, at=now)
        elif not state or (row.state, row.holder) == (state, holder):
            continue
        else:
            row.state, row.holder, row.version, row.at = state, holder, row.version + 1, now
            row.save(update_fields=["state", "holder", "version", "at"])
        letters.append(_letter(row, card, f"holder:{row.version}"))
    return post_many(CODE, letters)


def holder_letters(keys: Sequence[str]) -> dict[str, Letter]:
    """What we last told of these cards, for telling it again. Held until then: else what is told meanwhile
    would be followed by this older word.
    """
    rows = EntitledCard.objects.select_for_update(of=("self",)).filter(card__number__in=keys).order_by("id")
    found = rows.select_related(*(f"card__{each}" for each in WITH))
    return {each.card.number: _letter(each, each.card, "") for each in found}


def holder_of(card: cards.Card) -> str:
    return holders.ENROLLED if card.student.status in registry.PRESENT else holders.LEFT


def _letter(row: EntitledCard, card: cards.Card, once: str) -> Letter:
    """No personal value: the platform knows its citizen by the Beijing-Tong number."""
    before = card.application.old_card
    content = {
        "card": card.number,
        "beijing_tong_number": card.beijing_tong_number,
        "state": row.state,
        "holder": row.holder,
        "replaces": before.number if before else "",
        "version": row.version,
    }
    return Letter(f"card:{card.number}", "holder.changed", content, once)

"""The numbers of a card follow it when a repair puts the card back into an earlier state."""

from collections.abc import Sequence

from xueka.contexts.numbers.models import Blank, NumberUse
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor

#: What a blank is while its number is in this state.
_OF_BLANK = {"assigned": "bound"}


def state_on_card(card_id: int) -> str | None:
    """The one state that all numbers of a card are in; None where there are none, or several states."""
    states = set(NumberUse.objects.filter(card_id=card_id).values_list("state", flat=True))
    return states.pop() if len(states) == 1 else None


def put_back(actor: Actor, card_ids: Sequence[int], state: str, *, repair: int, reason: str) -> int:
    """Bring the numbers and blanks of the cards into `state` (assigned, used, spoiled, returned).

    A step of a repair, which has judged that the numbers are physically on these cards and nowhere else; the
    guard of the table asks for a repair's id with every step back. Answers how many numbers changed.
    """
    actor.require("city:repair:approve")
    uses = NumberUse.objects.filter(card_id__in=card_ids).exclude(state=state)
    Blank.objects.filter(card_id__in=card_ids).exclude(state="in_stock").update(
        state=_OF_BLANK.get(state, state), at=clock.now(), reason=reason[:100]
    )
    return uses.update(state=state, at=clock.now(), reason=reason[:100], repair=repair)

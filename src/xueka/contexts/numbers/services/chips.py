"""Blanks that are written at a counter: found by their chip, spoiled."""

from dataclasses import dataclass

from xueka.contexts.numbers.models import Blank, NumberUse, Sort
from xueka.contexts.numbers.schedule import BLANK_LABELS
from xueka.kernel import clock


@dataclass(frozen=True, slots=True)
class BlankView:
    """Where a blank lies and what it is; `lot` and `position` are what stands on the box."""

    id: int
    lot: str
    position: int
    uid: str
    transit_number: str
    state: str
    label: str
    card_id: int | None


def blank_with(uid: str) -> BlankView | None:
    """The blank with this chip, if it came with a lot."""
    return _view(Blank.objects.filter(uid=uid).exclude(uid="").select_related("lot").first())


def blank_of(card_id: int) -> BlankView | None:
    """The blank that is bound to a card."""
    return _view(Blank.objects.filter(card_id=card_id, state="bound").select_related("lot").first())


def spoil_chip(uid: str, reason: str) -> int:
    """The plastic with this chip is void, in stock or bound, and so is the number that it brought."""
    blanks = list(
        Blank.objects.select_for_update().filter(uid=uid, state__in=["in_stock", "bound"]).exclude(uid="")
    )
    now = clock.now()
    for blank in blanks:
        Blank.objects.filter(pk=blank.pk).update(state="spoiled", at=now, reason=reason[:100])
        if blank.card_id is not None and blank.transit_number:
            given = NumberUse.objects.filter(sort=Sort.TRANSIT, number=blank.transit_number, state="assigned")
            given.update(state="spoiled", at=now, reason=reason[:100])
    return len(blanks)


def _view(found: Blank | None) -> BlankView | None:
    if found is None:
        return None
    return BlankView(
        found.pk,
        found.lot.number,
        found.position,
        found.uid,
        found.transit_number,
        found.state,
        BLANK_LABELS[found.state],
        found.card_id,
    )

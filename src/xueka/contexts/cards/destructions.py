"""Reads on lists of cards to be destroyed; they are the city's affair."""

from django.db.models import QuerySet

from xueka.contexts.cards.domain.transitions import CARD
from xueka.contexts.cards.models import Card, Destruction, DestructionCard
from xueka.contexts.cards.worklists import card_rows
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def destruction_rows(scope: Scope) -> QuerySet[Destruction]:
    """Every list, unordered."""
    return Destruction.objects.all() if scope.level in ("system", "city") else Destruction.objects.none()


def destruction(scope: Scope, number: str) -> Destruction:
    """One list. Raises NotFound `DESTRUCTION_NOT_FOUND`."""
    found = destruction_rows(scope).filter(number=number).first()
    if found is None:
        raise NotFound("DESTRUCTION_NOT_FOUND", "没有这份销毁单。", found=number)
    return found


def destruction_places(scope: Scope, number: str) -> QuerySet[DestructionCard]:
    """The cards of a list with their students, the last collected first."""
    found = DestructionCard.objects.filter(destruction=destruction(scope, number), is_here=True)
    return found.select_related("card__student", "card__school", "card__kind").order_by("-id")


def to_destroy(scope: Scope) -> QuerySet[Card]:
    """Dead cards that are on no list, unordered."""
    dead = CARD.sources("destroy")
    return card_rows(scope).filter(state__in=dead).exclude(destruction_places__is_here=True)

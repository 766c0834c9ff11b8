"""Reading what is known of a card at the transit company. Whoever may see the card may see this."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from xueka.contexts.transit.domain.validity import STANDINGS, standing
from xueka.contexts.transit.models import Validity
from xueka.contexts.transit.services.common import partner
from xueka.kernel import clock


@dataclass(frozen=True, slots=True)
class Known:
    """The last known validity of one card; `old` when it is older than `XUEKA_TRANSIT_FRESH_HOURS`."""

    validity: Validity
    standing: str
    words: str
    old: bool


def connected() -> bool:
    return partner() is not None


def known_of(card_ids: Collection[int]) -> dict[int, Known]:
    """What is known of these cards, by id. The caller has found them in its scope."""
    today, now = clock.today(), clock.now()
    limit = timedelta(hours=settings.TRANSIT_FRESH_HOURS)
    found = {}
    for each in Validity.objects.filter(card__in=list(card_ids)):
        how = standing(each.fare, each.valid_until, today, settings.TRANSIT_SOON_DAYS)
        found[each.card_id] = Known(each, how, STANDINGS[how], now - each.heard_at > limit)
    return found

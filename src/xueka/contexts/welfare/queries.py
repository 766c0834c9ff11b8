"""Reading entitlements. Whoever may see the card may see them, with `school:welfare:read`."""

from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, QuerySet

from xueka.contexts.cards import api as cards
from xueka.contexts.welfare.domain.entitlements import COMING, NAMES, OVER, STANDINGS, named, standing
from xueka.contexts.welfare.domain.transitions import ACTIVE, ENDED, SUSPENDED
from xueka.contexts.welfare.models import Entitlement, EntitlementKind
from xueka.contexts.welfare.services.common import partner
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope

READ = "school:welfare:read"


@dataclass(frozen=True, slots=True)
class Known:
    """An entitlement with the name of its kind and what it is worth today."""

    entitlement: Entitlement
    name: str
    standing: str
    words: str


def connected() -> bool:
    return partner() is not None


def kind_names() -> dict[str, str]:
    """Code → name: the defaults, over them `XUEKA_WELFARE_KINDS`, and over all what the platform has said."""
    said = dict(EntitlementKind.objects.values_list("code", "name"))
    return NAMES | named(settings.WELFARE_KINDS) | said


def known_of(card_ids: Collection[int]) -> dict[int, list[Known]]:
    """Entitlements of these cards, by card, as the platform numbered them. The caller has found the cards in
    its scope.
    """
    rows = Entitlement.objects.filter(card__in=list(card_ids)).order_by("card", "kind")
    found: dict[int, list[Known]] = {}
    names = kind_names() if rows else {}
    for each in rows:
        found.setdefault(each.card_id, []).append(known(each, names))
    return found


def known(entitlement: Entitlement, names: dict[str, str]) -> Known:
    how = standing(entitlement.state, entitlement.valid_from, entitlement.valid_until, clock.today())
    return Known(entitlement, names.get(entitlement.kind, entitlement.kind), how, STANDINGS[how])


def of_standing(rows: QuerySet[Entitlement], how: str) -> QuerySet[Entitlement]:
    """Those that are worth this today: what `standing` says of one."""
    if how in (SUSPENDED, ENDED):
        return rows.filter(state=how)
    today, over = clock.today(), Q(valid_until__lt=clock.today())
    rows = rows.filter(over if how == OVER else ~over, state=ACTIVE)
    if how == OVER:
        return rows
    return rows.filter(valid_from__gt=today) if how == COMING else rows.filter(valid_from__lte=today)


def entitlement_rows(scope: Scope) -> QuerySet[Entitlement]:
    """Entitlements of the cards that this scope sees, unordered."""
    rows = Entitlement.objects.select_related("card__student__school", "card__school_class")
    if scope.level in ("city", "system"):
        return rows
    return rows.filter(card__in=cards.card_rows(scope).values("id"))

"""The welfare-card platform: entitlements, their kinds, what it is told of cards. The only door."""

from xueka.contexts.welfare.domain.entitlements import STANDINGS
from xueka.contexts.welfare.domain.transitions import ENTITLEMENT
from xueka.contexts.welfare.invariants import INVARIANTS
from xueka.contexts.welfare.models import Entitlement
from xueka.contexts.welfare.queries import (
    READ,
    Known,
    connected,
    entitlement_rows,
    kind_names,
    known,
    known_of,
    of_standing,
)
from xueka.contexts.welfare.services.comparing import take_entitlement
from xueka.contexts.welfare.services.following import follow, walk
from xueka.contexts.welfare.services.hearing import hear_entitlement, hear_kind
from xueka.contexts.welfare.services.telling import holder_letters

__all__ = [
    "ENTITLEMENT",
    "INVARIANTS",
    "READ",
    "STANDINGS",
    "Entitlement",
    "Known",
    "connected",
    "entitlement_rows",
    "follow",
    "hear_entitlement",
    "hear_kind",
    "holder_letters",
    "kind_names",
    "known",
    "known_of",
    "of_standing",
    "take_entitlement",
    "walk",
]

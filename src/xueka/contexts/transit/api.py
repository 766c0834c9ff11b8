"""The transit company: validity of the student fare. The only door into this context."""

from xueka.contexts.transit.domain.validity import FARES, STANDINGS
from xueka.contexts.transit.invariants import INVARIANTS
from xueka.contexts.transit.models import OUTCOMES, LookUp, Validity
from xueka.contexts.transit.queries import Known, connected, known_of
from xueka.contexts.transit.services.validity import READ, Answer, hear_validity, look_up

__all__ = [
    "FARES",
    "INVARIANTS",
    "OUTCOMES",
    "READ",
    "STANDINGS",
    "Answer",
    "Known",
    "LookUp",
    "Validity",
    "connected",
    "hear_validity",
    "known_of",
    "look_up",
]

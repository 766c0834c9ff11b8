"""Officers: brought in by list, substitutes, hand-overs, leavers: the only door into this context."""

from xueka.contexts.officers.domain.transitions import HAND_OVER
from xueka.contexts.officers.invariants import INVARIANTS
from xueka.contexts.officers.models import HandOver, OfficerList
from xueka.contexts.officers.queries import (
    contact,
    hand_over,
    hand_overs,
    hand_overs_due,
    lists,
    officer_list,
    officers,
    substitutes,
)
from xueka.contexts.officers.services.handing_over import ask, cancel, confirm
from xueka.contexts.officers.services.keeping import colleagues, grant_of
from xueka.contexts.officers.services.leaving import leave
from xueka.contexts.officers.services.provisioning import COLUMNS, OfficersReport, import_officers
from xueka.contexts.officers.services.standing_in import end_stand_in, stand_in

__all__ = [
    "COLUMNS",
    "HAND_OVER",
    "INVARIANTS",
    "HandOver",
    "OfficerList",
    "OfficersReport",
    "ask",
    "cancel",
    "colleagues",
    "confirm",
    "contact",
    "end_stand_in",
    "grant_of",
    "hand_over",
    "hand_overs",
    "hand_overs_due",
    "import_officers",
    "leave",
    "lists",
    "officer_list",
    "officers",
    "stand_in",
    "substitutes",
]

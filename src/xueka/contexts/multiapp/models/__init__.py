"""Units, what they are granted on the card, their security modules, and their way into the interface."""

from xueka.contexts.multiapp.models.access import (
    ApiCall,
    CallCount,
    CallDay,
    Credential,
    HotCard,
    HotList,
    RememberedAnswer,
    Report,
)
from xueka.contexts.multiapp.models.grants import Area, CardGrant, GrantKey, GrantPlace, Pack
from xueka.contexts.multiapp.models.sams import Custody, Risk, Sam, SamKey, Seen, StockTake
from xueka.contexts.multiapp.models.units import Unit, UnitSchool

__all__ = [
    "ApiCall",
    "Area",
    "CallCount",
    "CallDay",
    "CardGrant",
    "Credential",
    "Custody",
    "GrantKey",
    "GrantPlace",
    "HotCard",
    "HotList",
    "Pack",
    "RememberedAnswer",
    "Report",
    "Risk",
    "Sam",
    "SamKey",
    "Seen",
    "StockTake",
    "Unit",
    "UnitSchool",
]

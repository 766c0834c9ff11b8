"""Guardians: signing in by a code, what they see, and what the school does for them: the only door."""

from xueka.contexts.families.domain.rules import CODE_LIFETIME, MOST_GUARDIANS, SESSION_LIFETIME
from xueka.contexts.families.invariants import INVARIANTS
from xueka.contexts.families.models import RELATIONS, FamilyAccount, FamilySession, Guardianship
from xueka.contexts.families.queries import Guardian, guardians, phones_of, sessions_of
from xueka.contexts.families.services.guardians import add_guardian, change_phone, end_guardian
from xueka.contexts.families.services.sessions import Family, as_actor, begin_session, end_session, resume
from xueka.contexts.families.services.signing_in import ask_code, enter

__all__ = [
    "CODE_LIFETIME",
    "INVARIANTS",
    "MOST_GUARDIANS",
    "RELATIONS",
    "SESSION_LIFETIME",
    "Family",
    "FamilyAccount",
    "FamilySession",
    "Guardian",
    "Guardianship",
    "add_guardian",
    "as_actor",
    "ask_code",
    "begin_session",
    "change_phone",
    "end_guardian",
    "end_session",
    "enter",
    "guardians",
    "phones_of",
    "resume",
    "sessions_of",
]

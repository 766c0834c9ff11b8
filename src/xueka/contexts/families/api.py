"""Guardians: signing in by a code, what they see, and what the school does for them: the only door."""

from xueka.contexts.families.adapters.jingtong import ask as ask_sign_on
from xueka.contexts.families.adapters.jingtong import card as jingtong_card
from xueka.contexts.families.adapters.jingtong import hear as hear_sign_on
from xueka.contexts.families.adapters.jingtong import hear_over
from xueka.contexts.families.domain.rules import (
    CODE_LIFETIME,
    CONTAINER_LIFETIME,
    MOST_GUARDIANS,
    SESSION_LIFETIME,
)
from xueka.contexts.families.invariants import INVARIANTS
from xueka.contexts.families.models import RELATIONS, FamilyAccount, FamilySession, Guardianship
from xueka.contexts.families.ports import Asked, Citizen, SignOnDeclined, SignOnFailed
from xueka.contexts.families.queries import Guardian, guardians, phones_of, sessions_of
from xueka.contexts.families.services.choosing import choose_reminders, reminders_refused
from xueka.contexts.families.services.guardians import add_guardian, change_phone, end_guardian
from xueka.contexts.families.services.sessions import (
    Family,
    as_actor,
    begin_session,
    end_session,
    openid_of,
    resume,
)
from xueka.contexts.families.services.signing_in import ask_code, enter
from xueka.contexts.families.services.signing_on import introduce, leave, not_signed_on, sign_on

__all__ = [
    "CODE_LIFETIME",
    "CONTAINER_LIFETIME",
    "INVARIANTS",
    "MOST_GUARDIANS",
    "RELATIONS",
    "SESSION_LIFETIME",
    "Asked",
    "Citizen",
    "Family",
    "FamilyAccount",
    "FamilySession",
    "Guardian",
    "Guardianship",
    "SignOnDeclined",
    "SignOnFailed",
    "add_guardian",
    "as_actor",
    "ask_code",
    "ask_sign_on",
    "begin_session",
    "change_phone",
    "choose_reminders",
    "end_guardian",
    "end_session",
    "enter",
    "guardians",
    "hear_over",
    "hear_sign_on",
    "introduce",
    "jingtong_card",
    "leave",
    "not_signed_on",
    "openid_of",
    "phones_of",
    "reminders_refused",
    "resume",
    "sessions_of",
    "sign_on",
]

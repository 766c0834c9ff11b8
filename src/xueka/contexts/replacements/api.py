"""Replacements: asked for, paid, made, delivered within the promise: the only door into this context."""

from xueka.contexts.replacements.configuration import place_words, purse_words, transit_words
from xueka.contexts.replacements.domain.rules import (
    DELIVERIES,
    DISTRICT,
    HOME,
    PROMISED_WORKING_DAYS,
    REASONS,
    SCHOOL,
    Address,
    Promise,
    address,
    needs_consent,
    promise,
)
from xueka.contexts.replacements.domain.transitions import (
    ASK,
    OPEN,
    POST,
    PROMISED,
    READ,
    REPLACEMENT,
)
from xueka.contexts.replacements.invariants import INVARIANTS
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.progress import Stage, timeline
from xueka.contexts.replacements.queries import (
    Kept,
    of_student,
    open_of,
    promises_kept,
    replacement,
    rows,
    watched,
)
from xueka.contexts.replacements.services.asking import (
    begin,
    cancel,
    choose_delivery,
    consent_missing,
    order_to_pay,
    quote,
    submit,
    why_not,
)
from xueka.contexts.replacements.services.posting import post, posting_address, receive

__all__ = [
    "ASK",
    "DELIVERIES",
    "DISTRICT",
    "HOME",
    "INVARIANTS",
    "OPEN",
    "POST",
    "PROMISED",
    "PROMISED_WORKING_DAYS",
    "READ",
    "REASONS",
    "REPLACEMENT",
    "SCHOOL",
    "Address",
    "Kept",
    "Promise",
    "Replacement",
    "Stage",
    "address",
    "begin",
    "cancel",
    "choose_delivery",
    "consent_missing",
    "needs_consent",
    "of_student",
    "open_of",
    "order_to_pay",
    "place_words",
    "post",
    "posting_address",
    "promise",
    "promises_kept",
    "purse_words",
    "quote",
    "receive",
    "replacement",
    "rows",
    "submit",
    "timeline",
    "transit_words",
    "watched",
    "why_not",
]

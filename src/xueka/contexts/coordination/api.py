"""Coordination with the seven counterpart groups: who asked what of whom, until when, and what came of it."""

from xueka.contexts.coordination.domain.parties import ABOUT, PARTIES, Kind, Party
from xueka.contexts.coordination.domain.transitions import ENDED, MATTER, READ, WORK
from xueka.contexts.coordination.invariants import INVARIANTS
from xueka.contexts.coordination.models import LINES, Line, Matter
from xueka.contexts.coordination.queries import (
    about,
    counts,
    days_for,
    file_of,
    is_overdue,
    matter,
    matters,
    pressing,
)
from xueka.contexts.coordination.services.matters import assign, note, open_matter, set_due, step

__all__ = [
    "ABOUT",
    "ENDED",
    "INVARIANTS",
    "LINES",
    "MATTER",
    "PARTIES",
    "READ",
    "WORK",
    "Kind",
    "Line",
    "Matter",
    "Party",
    "about",
    "assign",
    "counts",
    "days_for",
    "file_of",
    "is_overdue",
    "matter",
    "matters",
    "note",
    "open_matter",
    "pressing",
    "set_due",
    "step",
]

"""Coordination with the seven counterpart groups: who asked what of whom, until when, and what came of it."""

from xueka.contexts.coordination.adapters.attachments import KINDS, LARGEST_MB
from xueka.contexts.coordination.domain.parties import ABOUT, PARTIES, Kind, Party
from xueka.contexts.coordination.domain.transitions import ENDED, MATTER, READ, WORK
from xueka.contexts.coordination.invariants import INVARIANTS
from xueka.contexts.coordination.models import LINES, Attachment, Line, Matter
from xueka.contexts.coordination.queries import (
    about,
    attachments_of,
    counts,
    days_for,
    file_of,
    is_overdue,
    matter,
    matters,
    pressing,
)
from xueka.contexts.coordination.services.matters import (
    assign,
    attach,
    note,
    open_matter,
    read_attachment,
    set_due,
    step,
)

__all__ = [
    "ABOUT",
    "ENDED",
    "INVARIANTS",
    "KINDS",
    "LARGEST_MB",
    "LINES",
    "MATTER",
    "PARTIES",
    "READ",
    "WORK",
    "Attachment",
    "Kind",
    "Line",
    "Matter",
    "Party",
    "about",
    "assign",
    "attach",
    "attachments_of",
    "counts",
    "days_for",
    "file_of",
    "is_overdue",
    "matter",
    "matters",
    "note",
    "open_matter",
    "pressing",
    "read_attachment",
    "set_due",
    "step",
]

"""Taking over a programme that runs already: accounts, cards, used numbers, open applications, by file."""

from xueka.contexts.takeover.domain.format import MANIFEST_PART, PARTS, templates
from xueka.contexts.takeover.domain.transitions import TAKEOVER
from xueka.contexts.takeover.invariants import INVARIANTS
from xueka.contexts.takeover.jobs import run, work
from xueka.contexts.takeover.models import Difference, TakeOver
from xueka.contexts.takeover.queries import (
    PartProgress,
    differences,
    progress,
    stayed,
    take_over,
    take_overs,
)
from xueka.contexts.takeover.services.comparing import KINDS, compare, explain, export, open_counts, sign
from xueka.contexts.takeover.services.loading import load_chunk
from xueka.contexts.takeover.services.taking_back import (
    Back,
    approve_back,
    ask_back,
    preview_back,
    refuse_back,
    take_back_chunk,
)
from xueka.contexts.takeover.services.taking_in import approve, check, drop, recheck

__all__ = [
    "INVARIANTS",
    "KINDS",
    "MANIFEST_PART",
    "PARTS",
    "TAKEOVER",
    "Back",
    "Difference",
    "PartProgress",
    "TakeOver",
    "approve",
    "approve_back",
    "ask_back",
    "check",
    "compare",
    "differences",
    "drop",
    "explain",
    "export",
    "load_chunk",
    "open_counts",
    "preview_back",
    "progress",
    "recheck",
    "refuse_back",
    "run",
    "sign",
    "stayed",
    "take_back_chunk",
    "take_over",
    "take_overs",
    "templates",
    "work",
]

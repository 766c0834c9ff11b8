"""Repairing what people or machines got wrong: dry run, difference, second person, applied, undone."""

from xueka.contexts.repairs.domain.steps import FIELDS, FREE, LABELS, Step
from xueka.contexts.repairs.domain.transitions import REPAIR
from xueka.contexts.repairs.invariants import INVARIANTS
from xueka.contexts.repairs.models import Finding, Repair
from xueka.contexts.repairs.queries import findings, repair, repairs, waiting
from xueka.contexts.repairs.services.detecting import DETECTORS, detect, open_counts, take
from xueka.contexts.repairs.services.kinds import KINDS
from xueka.contexts.repairs.services.repairing import (
    approve,
    ask_undo,
    keep,
    propose,
    refuse,
    undo,
    withdraw,
)

__all__ = [
    "DETECTORS",
    "FIELDS",
    "FREE",
    "INVARIANTS",
    "KINDS",
    "LABELS",
    "REPAIR",
    "Finding",
    "Repair",
    "Step",
    "approve",
    "ask_undo",
    "detect",
    "findings",
    "keep",
    "open_counts",
    "propose",
    "refuse",
    "repair",
    "repairs",
    "take",
    "undo",
    "waiting",
    "withdraw",
]

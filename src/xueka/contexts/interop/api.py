"""The interfaces to other platforms: card status out, the daily comparison of both sides, differences,
measures.

Messages themselves are the platform's (`platform.exchange`); its queries are offered here for the pages.
"""

from xueka.contexts.interop.adapters.records import CARD_STATUS, DATASETS
from xueka.contexts.interop.domain.buckets import KINDS
from xueka.contexts.interop.domain.transitions import DIFFERENCE
from xueka.contexts.interop.invariants import INVARIANTS
from xueka.contexts.interop.jobs import compare_daily, follow_cards, measure_quality, sample_interfaces
from xueka.contexts.interop.models import MEASURES, Comparison, Difference, Quality, Sample
from xueka.contexts.interop.queries import (
    Span,
    comparisons,
    days,
    difference,
    differences,
    hours,
    latest_quality,
    quality,
    standing_of,
    standings,
    status,
)
from xueka.contexts.interop.services.comparing import answer, reconcile
from xueka.contexts.interop.services.deciding import assign, leave, may_take, send_again, take_theirs
from xueka.contexts.interop.services.following import follow_all
from xueka.contexts.interop.services.measuring import measure_all

__all__ = [
    "CARD_STATUS",
    "DATASETS",
    "DIFFERENCE",
    "INVARIANTS",
    "KINDS",
    "MEASURES",
    "Comparison",
    "Difference",
    "Quality",
    "Sample",
    "Span",
    "answer",
    "assign",
    "compare_daily",
    "comparisons",
    "days",
    "difference",
    "differences",
    "follow_all",
    "follow_cards",
    "hours",
    "latest_quality",
    "leave",
    "may_take",
    "measure_all",
    "measure_quality",
    "quality",
    "reconcile",
    "sample_interfaces",
    "send_again",
    "standing_of",
    "standings",
    "status",
    "take_theirs",
]

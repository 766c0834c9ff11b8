"""The interfaces to other platforms: card status out, numbers asked for, changes in, the daily comparison of
both sides, differences, measures.

Messages themselves are the platform's (`platform.exchange`); its queries are offered here for the pages.
"""

from xueka.contexts.interop.adapters.records import (
    CARD_STATUS,
    DATASET_FIELDS,
    DATASET_NAMES,
    DATASETS,
    STUDENT_REGISTRY,
)
from xueka.contexts.interop.domain.buckets import KINDS
from xueka.contexts.interop.domain.transitions import DIFFERENCE, NUMBER_REQUEST, TONG_APPLICATION
from xueka.contexts.interop.invariants import INVARIANTS
from xueka.contexts.interop.jobs import (
    compare_asked,
    compare_daily,
    compare_schools,
    follow_cards,
    measure_quality,
    sample_interfaces,
    settle_corrected,
)
from xueka.contexts.interop.models import (
    OUTCOMES,
    AskedComparison,
    Comparison,
    Correction,
    Difference,
    NumberRequest,
    Quality,
    Sample,
    SchoolRound,
    TongApplication,
)
from xueka.contexts.interop.queries import (
    READ,
    Span,
    ages,
    comparisons,
    corrections,
    days,
    difference,
    differences,
    hours,
    keys_meant,
    keys_traced,
    latest_quality,
    number_requests,
    quality,
    school_round,
    standing_of,
    standings,
    status,
    tong_application,
)
from xueka.contexts.interop.services.asking_comparison import Dataset, ask_comparison, datasets
from xueka.contexts.interop.services.asking_numbers import ask_numbers, numbers_declined, numbers_granted
from xueka.contexts.interop.services.comparing import answer, reconcile
from xueka.contexts.interop.services.correcting import citizen_corrected, settle_corrections
from xueka.contexts.interop.services.deciding import (
    assign,
    leave,
    may_send,
    may_take,
    send_again,
    sendable,
    take_theirs,
)
from xueka.contexts.interop.services.following import follow_all
from xueka.contexts.interop.services.quality import measure_all
from xueka.contexts.interop.services.tong_cards import (
    application_blocked,
    application_unblocked,
    number_withdrawn,
)
from xueka.platform.exchange.quality import MEASURES, Meaning, meaning

__all__ = [
    "CARD_STATUS",
    "DATASETS",
    "DATASET_FIELDS",
    "DATASET_NAMES",
    "DIFFERENCE",
    "INVARIANTS",
    "KINDS",
    "MEASURES",
    "NUMBER_REQUEST",
    "OUTCOMES",
    "READ",
    "STUDENT_REGISTRY",
    "TONG_APPLICATION",
    "AskedComparison",
    "Comparison",
    "Correction",
    "Dataset",
    "Difference",
    "Meaning",
    "NumberRequest",
    "Quality",
    "Sample",
    "SchoolRound",
    "Span",
    "TongApplication",
    "ages",
    "answer",
    "application_blocked",
    "application_unblocked",
    "ask_comparison",
    "ask_numbers",
    "assign",
    "citizen_corrected",
    "compare_asked",
    "compare_daily",
    "compare_schools",
    "comparisons",
    "corrections",
    "datasets",
    "days",
    "difference",
    "differences",
    "follow_all",
    "follow_cards",
    "hours",
    "keys_meant",
    "keys_traced",
    "latest_quality",
    "leave",
    "may_send",
    "may_take",
    "meaning",
    "measure_all",
    "measure_quality",
    "number_requests",
    "number_withdrawn",
    "numbers_declined",
    "numbers_granted",
    "quality",
    "reconcile",
    "sample_interfaces",
    "school_round",
    "send_again",
    "sendable",
    "settle_corrected",
    "settle_corrections",
    "standing_of",
    "standings",
    "status",
    "take_theirs",
    "tong_application",
]

"""Statistics per city, district, school and term, and exports under approval: the only door in.

For pages: `throughput(scope, first, last)` by day, `term_plan(scope)` and `plan_progress(scope)` by week,
`ageing(scope)`, `step_counts(scope)`, `turnaround(scope)`, `replacements(scope)`, `by_district(scope)`,
`by_school(scope)`; those about a term take its code, the present one without.
"""

from xueka.contexts.reporting.domain.exports import DOWNLOADS, KEPT_FOR
from xueka.contexts.reporting.domain.exports import KINDS as EXPORT_KINDS
from xueka.contexts.reporting.domain.measures import LABELS as MEASURE_LABELS
from xueka.contexts.reporting.domain.terms import Term
from xueka.contexts.reporting.domain.transitions import EXPORT
from xueka.contexts.reporting.invariants import INVARIANTS
from xueka.contexts.reporting.models import Download, Export
from xueka.contexts.reporting.queries.exports import downloads, export, export_rows, waiting_exports
from xueka.contexts.reporting.queries.flow import (
    Day,
    Replacement,
    Turnaround,
    WeekProgress,
    plan_progress,
    recorded_until,
    replacements,
    throughput,
    turnaround,
)
from xueka.contexts.reporting.queries.plan import Plan, PlanWeek, term_plan
from xueka.contexts.reporting.queries.standing import (
    AGE_BANDS,
    Age,
    Figures,
    Place,
    StepCount,
    ageing,
    as_of,
    by_district,
    by_school,
    flows_of,
    step_counts,
    total,
)
from xueka.contexts.reporting.queries.terms import following_term, term, terms
from xueka.contexts.reporting.services.counting import record_days, record_standing
from xueka.contexts.reporting.services.exporting import (
    approve_export,
    ask_export,
    download_export,
    reject_export,
    revoke_export,
    withdraw_export,
)
from xueka.contexts.reporting.services.planning import set_plan, set_term

__all__ = [
    "AGE_BANDS",
    "DOWNLOADS",
    "EXPORT",
    "EXPORT_KINDS",
    "INVARIANTS",
    "KEPT_FOR",
    "MEASURE_LABELS",
    "Age",
    "Day",
    "Download",
    "Export",
    "Figures",
    "Place",
    "Plan",
    "PlanWeek",
    "Replacement",
    "StepCount",
    "Term",
    "Turnaround",
    "WeekProgress",
    "ageing",
    "approve_export",
    "as_of",
    "ask_export",
    "by_district",
    "by_school",
    "download_export",
    "downloads",
    "export",
    "export_rows",
    "flows_of",
    "following_term",
    "plan_progress",
    "record_days",
    "record_standing",
    "recorded_until",
    "reject_export",
    "replacements",
    "revoke_export",
    "set_plan",
    "set_term",
    "step_counts",
    "term",
    "term_plan",
    "terms",
    "throughput",
    "total",
    "turnaround",
    "waiting_exports",
    "withdraw_export",
]

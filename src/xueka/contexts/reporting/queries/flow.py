"""What happened day by day, how long it took, and how often cards had to be replaced."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Sum

from xueka.contexts.cards import api as cards
from xueka.contexts.reporting.domain.measures import STEP_LABELS, quantile
from xueka.contexts.reporting.models import DayFigure, DayWait
from xueka.contexts.reporting.queries.plan import term_plan
from xueka.contexts.reporting.queries.standing import live_figures
from xueka.contexts.reporting.queries.terms import term, term_of
from xueka.contexts.reporting.services.counting import due
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope


@dataclass(frozen=True, slots=True)
class Day:
    """What a scope did on a day: `counts` by measure (domain/measures.py); `planned` cards to hand out."""

    day: date
    counts: dict[str, int] = field(default_factory=dict)
    planned: float | None = None

    def of(self, measure: str) -> int:
        return self.counts.get(measure, 0)

    @property
    def submitted(self) -> int:
        return self.of("submitted")

    @property
    def accepted(self) -> int:
        return self.of("accepted")

    @property
    def made(self) -> int:
        return self.of("made")

    @property
    def received(self) -> int:
        return self.of("received")

    @property
    def handed_out(self) -> int:
        return self.of("handed_out")

    @property
    def lost(self) -> int:
        return self.of("lost")


def throughput(scope: Scope, first: date, last: date) -> list[Day]:
    """One entry for each day from `first` to `last` (both included, none after today); today is live.

    A day on which nothing happened has zeros. Days over are read from the record, which the worker's sweep
    keeps: yesterday is there some seconds after midnight.
    """
    today = clock.today()
    last = min(last, today)
    counts: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    inside = scope.filter(district="school__district_id", school="school__code")
    recorded = (
        DayFigure.objects.filter(inside, day__range=(first, last), day__lt=today)
        .order_by()
        .values_list("day", "measure")
        .annotate(n=Sum("count"))
    )
    for day, measure, number in recorded:
        counts[day][measure] += number
    if first <= today <= last:
        for day, _, measure, number in live_figures(scope):
            counts[day][measure] += number
    planned: dict[date, float] = {}
    for code in {term_of(first).code, term_of(last).code} if first <= last else ():
        planned |= term_plan(scope, code).by_day()
    days = (first + timedelta(days=step) for step in range((last - first).days + 1))
    return [Day(day, dict(counts.get(day, {})), planned.get(day)) for day in days]


@dataclass(frozen=True, slots=True)
class WeekProgress:
    """A week of a term: what was planned and what was handed out."""

    number: int
    begins: date
    ends: date
    planned: int | None
    handed_out: int


def plan_progress(scope: Scope, code: str = "") -> list[WeekProgress]:
    """The weeks of a term with plan and fact; weeks to come have handed out 0."""
    plan = term_plan(scope, code)
    days = throughput(scope, plan.term.begins, plan.term.ends)
    return [
        WeekProgress(
            week.number,
            week.begins,
            week.ends,
            week.planned,
            sum(day.handed_out for day in days if week.begins <= day.day <= week.ends),
        )
        for week in plan.weeks
    ]


@dataclass(frozen=True, slots=True)
class Turnaround:
    """How long a step took in a term: cases that ended, median and 90th percentile in whole hours."""

    step: str
    label: str
    count: int
    median_hours: int | None
    p90_hours: int | None


def turnaround(scope: Scope, code: str = "") -> list[Turnaround]:
    """Every step that ended at least once in the term, in the order of the line; up to yesterday."""
    of = term(code)
    inside = scope.filter(district="school__district_id", school="school__code")
    waits: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = (
        DayWait.objects.filter(inside, day__range=(of.begins, of.ends))
        .order_by()
        .values_list("step", "hours")
        .annotate(n=Sum("count"))
    )
    for step, hours, number in rows:
        waits[step].append((hours, number))
    return [
        Turnaround(
            step,
            label,
            sum(number for _, number in waits[step]),
            quantile(waits[step], 0.5),
            quantile(waits[step], 0.9),
        )
        for step, label in STEP_LABELS.items()
        if step in waits
    ]


@dataclass(frozen=True, slots=True)
class Replacement:
    """First submissions for one reason in a term."""

    reason: str
    label: str
    count: int


def replacements(scope: Scope, code: str = "") -> list[Replacement]:
    """Applications of a term by reason (new cards included), in the order of the reasons."""
    of = term(code)
    counts: dict[str, int] = defaultdict(int)
    for day in throughput(scope, of.begins, of.ends):
        for reason in cards.REASONS:
            counts[reason] += day.of(f"reason_{reason}")
    return [Replacement(reason, label, counts[reason]) for reason, label in cards.REASONS.items()]


def recorded_until() -> date | None:
    """The last day whose figures are on record; None before the first."""
    left = due()
    yesterday = clock.today() - timedelta(days=1)
    if left is None:
        return yesterday
    return left[0] - timedelta(days=1) if DayFigure.objects.exists() else None

"""How schools and districts stand now, how old open work is, and what waits at which step."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.reporting.domain.measures import AGES
from xueka.contexts.reporting.models import DayFigure, Standing
from xueka.contexts.reporting.queries.terms import term
from xueka.contexts.reporting.services.counting import figures_sql, midnight, places, standing_sql
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope

KEPT = timedelta(days=1)  # so old may a count be, should the worker stand still; a page says how old it is
LIVE_UP_TO = 20_000  # students: a larger place's figures come from the worker's last count

_FLOWS = ("handed_out", "lost", "returned")
_REPLACED = tuple(f"reason_{reason}" for reason in cards.REASONS if reason != "new")


@dataclass(frozen=True, slots=True)
class Figures:
    """Students entitled to a card, how many hold one, and how many papers and cards are at which step.

    The last four are of the term that was asked for; the others of the moment `as_of`.
    """

    students: int = 0
    holding: int = 0
    applying: int = 0
    accepted: int = 0
    making: int = 0
    on_way: int = 0
    at_school: int = 0
    lost: int = 0
    without_photo: int = 0
    without_consent: int = 0
    handed_out: int = 0
    reported_lost: int = 0
    returned: int = 0
    replaced: int = 0

    @property
    def without(self) -> int:
        """Students without a card, whatever is under way for them."""
        return self.students - self.holding

    @property
    def made_and_on_way(self) -> int:
        return self.making + self.on_way

    @property
    def percent(self) -> int | None:
        return self.holding * 100 // self.students if self.students else None

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Figures)))


@dataclass(frozen=True, slots=True)
class Place:
    """A district or a school with its figures."""

    code: str
    name: str
    district: str
    figures: Figures


def by_school(scope: Scope, code: str = "") -> list[Place]:
    """Every open school of a scope that has students or work, by code; flows of the term `code`."""
    standing, flows = _standing(scope), _flows_of_term(scope, code)
    schools = registry.School.objects.visible_to(scope).order_by("code")
    found = [
        Place(
            each.code,
            each.name,
            each.district_id,
            Figures(*standing.get(each.id, (0,) * 10), *flows.get(each.id, (0,) * 4)),
        )
        for each in schools
    ]
    return [place for place in found if place.figures != Figures()]


def by_district(scope: Scope, code: str = "") -> list[Place]:
    """The same, summed by district; every district of the scope, by code."""
    sums: dict[str, Figures] = {}
    for place in by_school(scope, code):
        sums[place.district] = sums.get(place.district, Figures()) + place.figures
    districts = registry.District.objects.order_by("code")
    return [
        Place(each.code, each.name, each.code, sums.get(each.code, Figures()))
        for each in districts
        if scope.level in ("system", "city") or each.code == scope.district
    ]


def total(places_: Iterable[Place]) -> Figures:
    return sum((place.figures for place in places_), Figures())


def flows_of(scope: Scope, code: str) -> Figures:
    """The last four figures of a term alone, for a comparison; how places stand is not counted for it."""
    flows = _flows_of_term(scope, code).values()
    return sum((Figures(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, *each) for each in flows), Figures())


def as_of(scope: Scope) -> datetime:
    """When the figures of `by_school` were counted: now, or some minutes ago in a large place."""
    last = _last_count(scope)
    return last[1] if last else clock.now()


def share_of_students(scope: Scope) -> float:
    """The part of the city's entitled students that a scope has; 1 for the city."""
    if scope.level in ("system", "city"):
        return 1.0
    day = Standing.objects.aggregate(day=Max("day"))["day"]
    rows = Standing.objects.filter(day=day)
    inside = scope.filter(district="school__district_id", school="school__code")
    own = rows.filter(inside).aggregate(n=Sum("students"))["n"]
    whole = rows.aggregate(n=Sum("students"))["n"]
    if not whole:
        students = registry.Student.objects.filter(status__in=cards.ENTITLED)
        own, whole = students.visible_to(scope).count(), students.count()
    return (own or 0) / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class StepCount:
    """What stands at one step; `machine` is application or card, `state` a state of it."""

    machine: str
    state: str
    label: str
    count: int


def step_counts(scope: Scope) -> list[StepCount]:
    """Applications and cards by state, in the order of their tables; states without any are left out."""
    counted = (
        (cards.APPLICATION, cards.application_counts(scope)),
        (cards.CARD, cards.card_counts(scope)),
    )
    return [
        StepCount(machine.name, state.code, state.label, found[state.code])
        for machine, found in counted
        for state in machine.states
        if found.get(state.code)
    ]


@dataclass(frozen=True, slots=True)
class Age:
    """Open work at one step by age; `counts` has one number for each band of `AGE_BANDS`.

    An application's age counts from its first submission, a card's from its last step.
    """

    step: str
    label: str
    counts: tuple[int, ...]
    oldest: datetime | None

    @property
    def total(self) -> int:
        return sum(self.counts)


AGE_BANDS = tuple(label for _, label in AGES)


def ageing(scope: Scope) -> list[Age]:
    """Open work by step and age; steps with nothing open are left out."""
    papers = cards.Application.objects.visible_to(scope).filter(submitted_at__isnull=False)
    plastic = cards.Card.objects.visible_to(scope)
    found = []
    for machine, rows, moment, states in (
        (cards.APPLICATION, papers, "submitted_at", _OPEN_PAPERS),
        (cards.CARD, plastic, "state_at", _OPEN_CARDS),
    ):
        counted: dict[str, dict[str, Any]] = {
            row["state"]: dict(row)
            for row in rows.filter(state__in=states)
            .order_by()
            .values("state")
            .annotate(oldest=Min(moment), **_bands(moment))
        }
        for state in states:
            if row := counted.get(state):
                counts = tuple(row[f"band{place}"] for place in range(len(AGES)))
                found.append(Age(state, machine.state(state).label, counts, row["oldest"]))
    return found


_OPEN_PAPERS = ("returned", "school_review", "district_review", "city_review", "accepted", "at_counter")
_OPEN_CARDS = ("planned", "ordered", "made", "packed", "in_transit", "at_school", "issuing", "ready")


def _bands(moment: str) -> dict[str, Any]:
    now, bands, younger = clock.now(), {}, 0
    for place, (upper, _) in enumerate(AGES):
        end = {f"{moment}__lte": now - timedelta(days=younger)} if younger else {}
        begin = {} if upper is None else {f"{moment}__gt": now - timedelta(days=upper)}
        bands[f"band{place}"] = Count("id", filter=Q(**end, **begin))
        younger = upper or younger
    return bands


def _last_count(scope: Scope) -> tuple[date, datetime] | None:
    """The day and moment of the worker's last count, if it is to be used for this scope."""
    rows = _counted(scope).filter(day__gte=clock.today() - KEPT).order_by("-day").values("day")
    found = rows.annotate(at=Max("counted_at"), n=Sum("students")).first()
    if found is None or clock.now() - found["at"] > KEPT or found["n"] <= LIVE_UP_TO:
        return None
    return found["day"], found["at"]


def _counted(scope: Scope) -> QuerySet[Standing]:
    return Standing.objects.filter(scope.filter(district="school__district_id", school="school__code"))


def _standing(scope: Scope) -> dict[int, tuple[int, ...]]:
    names = [each.name for each in fields(Figures)][:10]
    if last := _last_count(scope):
        rows = _counted(scope).filter(day=last[0]).values_list("school_id", *names)
    else:
        inside, values = places(scope)
        with connection.cursor() as cursor:
            cursor.execute(standing_sql(inside), values)
            rows = cursor.fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def _flows_of_term(scope: Scope, code: str) -> dict[int, tuple[int, ...]]:
    """School id → (handed out, reported lost, returned, replaced) in a term, today included."""
    of = term(code)
    inside = scope.filter(district="school__district_id", school="school__code")
    counted: dict[tuple[int, str], int] = {}
    recorded = (
        DayFigure.objects.filter(
            inside, day__range=(of.begins, of.ends), day__lt=clock.today(), measure__in=_FLOWS + _REPLACED
        )
        .order_by()
        .values_list("school_id", "measure")
        .annotate(n=Sum(F("count")))
    )
    for school, measure, number in recorded:
        counted[school, measure] = number
    if of.begins <= clock.today() <= of.ends:
        for _, school, measure, number in live_figures(scope):
            counted[school, measure] = counted.get((school, measure), 0) + number
    return {
        school: (
            *(counted.get((school, measure), 0) for measure in _FLOWS),
            sum(counted.get((school, measure), 0) for measure in _REPLACED),
        )
        for school in {school for school, _ in counted}
    }


def live_figures(scope: Scope) -> list[tuple[Any, int, str, int]]:
    """What happened today: (day, school id, measure, count)."""
    inside, values = places(scope)
    today = clock.today()
    values |= {"since": midnight(today), "until": midnight(today + timedelta(days=1))}
    with connection.cursor() as cursor:
        cursor.execute(figures_sql(inside), values)
        return cursor.fetchall()

"""What lists and first pages stand on: rows to be paged by key, and figures by class and by school."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.rules import ENTITLED
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.registry import api as registry
from xueka.platform.identity.scope import Scope

_LABELS = {
    "school": ("school__code", "school__name"),
    "school_class": ("school_class__stage", "school_class__grade", "school_class__name"),
}


def application_rows(scope: Scope) -> QuerySet[Application]:
    """Every application of a scope with its student and place, unordered."""
    return Application.objects.visible_to(scope).select_related(
        "kind", "account__student", "school__district", "school_class"
    )


def card_rows(scope: Scope) -> QuerySet[Card]:
    """Every card of a scope with its student and place, unordered."""
    return Card.objects.visible_to(scope).select_related(
        "kind", "student__school", "student__school_class", "school__district", "school_class"
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one review in one school: how many are clean, how many need a look, since when."""

    school_code: str
    school_name: str
    clean: int
    doubtful: int
    oldest: datetime


def waiting_by_school(scope: Scope, state: str) -> list[Waiting]:
    """Schools with applications in a review state, the one that has waited longest first."""
    rows = (
        Application.objects.visible_to(scope)
        .filter(state=state)
        .order_by()
        .values("school__code", "school__name")
        .annotate(
            undoubted=Count("id", filter=Q(doubts=[])),
            doubtful=Count("id", filter=~Q(doubts=[])),
            oldest=Min("submitted_at"),
        )
        .order_by("oldest", "school__code")
    )
    return [
        Waiting(row["school__code"], row["school__name"], row["undoubted"], row["doubtful"], row["oldest"])
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the students of one class or school are with their first card of a kind.

    `holding` have a live card; `applications` (by state) and `cards` (by state, before hand-out) belong to
    those who have none yet; the rest are `without`: `students` = `holding` + all `applications` + `without`.
    """

    id: int
    label: tuple[Any, ...]
    students: int
    holding: int
    applications: Mapping[str, int] = field(default_factory=dict)
    cards: Mapping[str, int] = field(default_factory=dict)

    @property
    def without(self) -> int:
        return self.students - self.holding - sum(self.applications.values())

    def applied(self, *states: str) -> int:
        """How many applications are in these states."""
        return sum(self.applications.get(state, 0) for state in states)

    def made(self, *states: str) -> int:
        """How many cards are in these states."""
        return sum(self.cards.get(state, 0) for state in states)


def progress(scope: Scope, kind: str, by: str = "school_class") -> list[Progress]:
    """One line for each class (`by="school_class"`) or school (`by="school"`) of a scope with students."""
    students = registry.Student.objects.visible_to(scope).filter(status__in=ENTITLED)
    labels = _LABELS[by]
    counted = students.order_by().values(f"{by}_id", *labels).annotate(count=Count("id")).order_by(*labels)
    inside = scope.filter(district="student__school__district_id", school="student__school__code")
    cards = Card.objects.filter(inside, kind_id=kind, student__status__in=ENTITLED)
    holding = dict(
        cards.filter(state__in=s.LIVE)
        .order_by()
        .values_list(f"student__{by}_id")
        .annotate(count=Count("student_id", distinct=True))
    )
    underway = cards.filter(state__in=s.BEFORE_HAND_OUT, application__old_card=None)
    of = scope.filter(
        district="account__student__school__district_id", school="account__student__school__code"
    )
    applications = Application.objects.filter(
        of, kind_id=kind, old_card=None, account__student__status__in=ENTITLED
    ).exclude(state__in=s.CLOSED_APPLICATION)
    applied = _by_state(applications, f"account__student__{by}_id")
    made = _by_state(underway, f"student__{by}_id")
    return [
        Progress(
            row[f"{by}_id"],
            tuple(row[label] for label in labels),
            row["count"],
            holding.get(row[f"{by}_id"], 0),
            applied.get(row[f"{by}_id"], {}),
            made.get(row[f"{by}_id"], {}),
        )
        for row in counted
    ]


def cards_by_class(scope: Scope, state: str) -> list[tuple[int, tuple[Any, ...], int, datetime]]:
    """(class id, label, cards in the state, since when the latest of them) of each class that has any."""
    labels = _LABELS["school_class"]
    rows = (
        Card.objects.visible_to(scope)
        .filter(state=state)
        .order_by()
        .values("school_class_id", *labels)
        .annotate(count=Count("id"), latest=Max("state_at"))
        .order_by(*labels)
    )
    return [
        (row["school_class_id"], tuple(row[label] for label in labels), row["count"], row["latest"])
        for row in rows
    ]


def _by_state(query: QuerySet, path: str) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for group, state, count in (
        query.order_by()
        .values_list(path, "state")
        .annotate(count=Count("id"))
        .values_list(path, "state", "count")
    ):
        found.setdefault(group, {})[state] = count
    return found

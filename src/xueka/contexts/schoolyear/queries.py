"""Reads on the turn of the school year: jobs with their figures, schools and their state, classes to come."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain import rules as r
from xueka.contexts.schoolyear.domain.transitions import CONFIRMED, DRAFT, RUNNING, TAKING_BACK
from xueka.contexts.schoolyear.models import Choice, ClassList, Job, Move, Piece, Thing
from xueka.contexts.schoolyear.services.choices import this_year
from xueka.contexts.schoolyear.services.jobs import no_job, why_not_back
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope


def job_rows(scope: Scope) -> QuerySet[Job]:
    """Every job that concerns a scope, unordered."""
    return Job.objects.visible_to(scope).select_related("district", "school")


def job(scope: Scope, number: str) -> Job:
    """One job. Raises NotFound `YEAR_JOB_NOT_FOUND`."""
    found = job_rows(scope).filter(number=number).first()
    if found is None:
        raise no_job(number)
    return found


def piece_rows(scope: Scope, number: str) -> QuerySet[Piece]:
    """The schools of a job that a scope shows, unordered."""
    return (
        Piece.objects.visible_to(scope).filter(job__number=number).select_related("school__district", "job")
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """A job in numbers. `schools` by piece state; `wont` {code: (count, examples)}; `also` {word: count}."""

    schools: dict[str, int]
    planned: int
    done: int
    skipped: int
    undone: int
    kept: int
    wont: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    also: dict[str, int] = field(default_factory=dict)
    seconds_left: int | None = None

    @property
    def total(self) -> int:
        return sum(self.schools.values())

    @property
    def worked(self) -> int:
        """Schools behind which the present work lies."""
        return self.total - self.schools.get("waiting", 0)


def figures(scope: Scope, found: Job) -> Figures:
    """What the scope sees of a job, added up over its schools."""
    pieces = Piece.objects.visible_to(scope).filter(job=found)
    sums = pieces.aggregate(*(Sum(each) for each in ("planned", "done", "skipped", "undone", "kept")))
    schools = dict(pieces.order_by().values_list("state").annotate(Count("id")))
    wont: dict[str, tuple[int, list[str]]] = {}
    also: dict[str, int] = {}
    for row in pieces.exclude(wont=[], also={}).values_list("wont", "also"):
        for each in row[0]:
            count, examples = wont.get(each["code"], (0, []))
            wont[each["code"]] = (count + each["count"], [*examples, *(each["examples"] or [])][:5])
        for word, count in row[1].items():
            also[word] = also.get(word, 0) + count
    numbers = {key.removesuffix("__sum"): value or 0 for key, value in sums.items()}
    return Figures(schools, **numbers, wont=wont, also=also, seconds_left=_seconds_left(found, schools))


def _seconds_left(found: Job, schools: dict[str, int]) -> int | None:
    """By the schools done so far since the work began; None before the first one and when nothing runs."""
    since, left = {
        DRAFT: (found.created_at, schools.get("waiting", 0)),
        CONFIRMED: (None, 0),
        RUNNING: (found.started_at, schools.get("planned", 0)),
        TAKING_BACK: (None, 0),
    }.get(found.state, (None, 0))
    done = sum(schools.values()) - left
    if since is None or not done or not left:
        return None
    spent: datetime = clock.now()
    return round((spent - since).total_seconds() / done * left)


def why_not_taken_back(found: Job) -> str:
    """Why a job cannot be taken back as a whole, in words; empty where it can."""
    problem = why_not_back(found)
    return problem.message if problem else ""


def moves(scope: Scope, number: str, *, outcome: str = "", school: str = "", limit: int = 200) -> list[Move]:
    """Students of a job with before and after, school by school."""
    rows = Move.objects.filter(piece__in=piece_rows(scope, number))
    if outcome:
        rows = rows.filter(outcome=outcome)
    if school:
        rows = rows.filter(piece__school__code=school)
    rows = rows.select_related("student", "before_class", "after_school", "piece__school")
    return list(rows.order_by("piece_id", "id")[:limit])


def things(scope: Scope, number: str, *, limit: int = 200) -> list[Thing]:
    """What else a job changed."""
    rows = Thing.objects.filter(piece__in=piece_rows(scope, number)).select_related("piece__school")
    return list(rows.order_by("piece_id", "thing", "id")[:limit])


@dataclass(frozen=True, slots=True)
class Turn:
    """A school in the turn of this year: state of its pieces («» none yet), lists confirmed of classes."""

    school: registry.School
    graduation: str
    promotion: str
    lists: int
    classes: int


def turns(scope: Scope, *, district: str = "") -> list[Turn]:
    """Every open school of a scope and what is done of its turn."""
    year = this_year()
    schools = registry.School.objects.visible_to(scope).filter(is_open=True).select_related("district")
    if district:
        schools = schools.filter(district_id=district)
    state = {
        (school, kind): piece
        for school, kind, piece in Piece.objects.filter(
            school__in=schools, school_year=year, kind__in=r.ONCE_A_YEAR
        )
        .exclude(state="undone")
        .exclude(job__state="cancelled")
        .order_by("id")
        .values_list("school_id", "kind", "state")
    }
    lists = dict(
        ClassList.objects.filter(school_year=year, school_class__school__in=schools)
        .order_by()
        .values_list("school_class__school_id")
        .annotate(Count("id"))
    )
    classes = dict(
        registry.SchoolClass.objects.filter(school__in=schools)
        .order_by()
        .values_list("school_id")
        .annotate(Count("id"))
    )
    return [
        Turn(
            one,
            state.get((one.id, r.GRADUATION), ""),
            state.get((one.id, r.PROMOTION), ""),
            lists.get(one.id, 0),
            classes.get(one.id, 0),
        )
        for one in schools.order_by("code")
    ]


@dataclass(frozen=True, slots=True)
class ClassToCome:
    """A class and where it goes: `next_label` in words, `choices` of single students, `confirmed` by whom."""

    school_class: registry.SchoolClass
    students: int
    final: bool
    next_rung: registry.Rung | None
    choices: int
    confirmed_by: str


def classes_to_come(scope: Scope, school_id: int) -> list[ClassToCome]:
    """The classes of a school that have students, lowest first, with what happens to each at the turn."""
    own = registry.school(scope, school_id)
    year = this_year()
    present = Q(students__status__in=registry.PRESENT)
    counts = dict(
        registry.SchoolClass.objects.filter(school=own)
        .order_by()
        .annotate(n=Count("students", filter=present))
        .values_list("id", "n")
    )
    chosen = dict(
        Choice.objects.filter(school_year=year, student__school=own)
        .order_by()
        .values_list("student__school_class_id")
        .annotate(Count("id"))
    )
    confirmed = dict(
        ClassList.objects.filter(school_year=year, school_class__school=own).values_list(
            "school_class_id", "confirmed_by"
        )
    )
    found = []
    for one in registry.classes(scope, own.id):
        if not counts.get(one.id):
            continue
        here = registry.Rung(one.stage, one.grade)
        up = registry.next_rung(own.schooling, here)
        onward = registry.next_stage(one.stage, own.stages) if rules().going_on_inside else None
        found.append(
            ClassToCome(
                one,
                counts[one.id],
                up is None,
                up or onward,
                chosen.get(one.id, 0),
                confirmed.get(one.id, ""),
            )
        )
    return found


def choices_of(scope: Scope, class_id: int) -> dict[int, Choice]:
    """What was chosen for students of a class, by student id."""
    rows = Choice.objects.filter(school_year=this_year(), student__school_class_id=class_id)
    inside = scope.filter(district="student__school__district_id", school="student__school__code")
    return {each.student_id: each for each in rows.filter(inside)}


def report(scope: Scope, found: Job) -> dict[str, Any]:
    """A job as one JSON object, for the command line and for keeping."""
    numbers = figures(scope, found)
    pieces = piece_rows(scope, found.number).order_by("school__code")
    return {
        "number": found.number,
        "kind": found.kind,
        "school_year": found.school_year,
        "state": found.state,
        "schools": numbers.schools,
        "planned": numbers.planned,
        "done": numbers.done,
        "skipped": numbers.skipped,
        "undone": numbers.undone,
        "kept": numbers.kept,
        "wont": [
            {"code": code, "text": r.WONT.get(code, code), "count": count, "examples": examples}
            for code, (count, examples) in numbers.wont.items()
        ],
        "also": numbers.also,
        "blocked": [
            {"school": each.school.code, "name": each.school.name, "reasons": each.blockers}
            for each in pieces.filter(state="blocked")
        ],
        "failed": [
            {"school": each.school.code, "name": each.school.name, "error": each.error}
            for each in pieces.exclude(error="")
        ],
        "undo_until": found.undo_until.isoformat() if found.undo_until else None,
    }

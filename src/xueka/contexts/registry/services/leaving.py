"""What becomes of students whom the student registry no longer shows: people decide."""

from collections.abc import Sequence

from django.db.models import F, Q, QuerySet

from xueka.contexts.registry.domain.transitions import ABSENCE
from xueka.contexts.registry.models import Absence, Student, StudentBefore
from xueka.contexts.registry.services.moving import PERMISSION
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

IMPORT = "city:registry:import"
OPEN = ("missing", "confirmed")


def absence_rows(scope: Scope) -> QuerySet[Absence]:
    """Absences of students in reach, the latest first, each with student, school and class."""
    rows = Absence.objects.visible_to(scope).select_related(
        "student__school__district", "student__school_class", "run"
    )
    return rows.order_by("-id")


def may_go(scope: Scope) -> QuerySet[Absence]:
    """Those whose students may be treated as gone: a person said so, or the days have passed unheld."""
    due = Q(state="missing", held=False, due_on__lte=clock.today())
    return absence_rows(scope).filter(Q(state="confirmed") | due)


def decide_absences(actor: Actor, absence_ids: Sequence[int], verdict: str, reason: str) -> int:
    """A person says that these are gone (`confirm`) or still there (`keep`); returns how many.

    Raises BadInput `REASON_MISSING`, NotFound `ABSENCE_NOT_FOUND`. Needs `city:registry:import`.
    """
    actor.require(IMPORT)
    if verdict not in ("confirm", "keep"):
        raise ValueError(f"unknown verdict: {verdict!r}")
    reason = normalise(reason)[:200]
    if not reason:
        raise BadInput("REASON_MISSING", "请写明核实的情况。", expected="一句话的理由")
    ids = sorted(set(absence_ids))
    if not ids or Absence.objects.visible_to(actor.scope).filter(id__in=ids).count() != len(ids):
        raise NotFound("ABSENCE_NOT_FOUND", "没有找到这些缺失记录。", action="请刷新后再选。")
    Absence.objects.filter(id__in=ids).update(decided_by=actor.username)
    done = apply(ABSENCE, Absence, ids, verdict, actor, reason=reason)
    record(actor, f"absence.{verdict}", "absence", detail={"count": done, "reason": reason})
    return done


def mark_left(actor: Actor, student_ids: Sequence[int]) -> int:
    """Close the open absences of students who have left. Whoever is shown again is read anew, so their rows
    count as unread. For a mass change; needs `city:student:move`.
    """
    actor.require(PERMISSION)
    ids = _of(student_ids, OPEN)
    apply(ABSENCE, Absence, ids, "leave", actor)
    Student.objects.filter(id__in=list(student_ids)).update(row_digest=b"")
    return len(ids)


def unmark_left(actor: Actor, student_ids: Sequence[int]) -> int:
    """The leave was taken back: it stays confirmed that they are missing."""
    actor.require(PERMISSION)
    ids = _of(student_ids, ("left",))
    Absence.objects.filter(id__in=ids, decided_by="").update(decided_by=actor.username)
    apply(ABSENCE, Absence, ids, "restore", actor)
    return len(ids)


def printed_changes(run_id: int) -> QuerySet[StudentBefore]:
    """Students of whom a run changed what a card shows: name, sex, school, stage."""
    of_run = StudentBefore.objects.filter(run_id=run_id, outcome="applied")
    return of_run.exclude(
        name=F("student__name"),
        sex=F("student__sex"),
        school=F("student__school"),
        school_class__stage=F("student__school_class__stage"),
    )


def _of(student_ids: Sequence[int], states: Sequence[str]) -> list[int]:
    rows = Absence.objects.filter(student_id__in=list(student_ids), state__in=states)
    return list(rows.order_by("id").values_list("id", flat=True))

"""Taking a OneRoster run back: students are again what they were, as far as nothing later changed them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from xueka.contexts.registry.domain.transitions import ABSENCE, OPEN, TRANSFER
from xueka.contexts.registry.domain.vocabulary import id_key
from xueka.contexts.registry.importing import runs
from xueka.contexts.registry.importing.preparing import ID_KIND, PHONE_KIND
from xueka.contexts.registry.models import Absence, ImportRun, Student, StudentBefore, Transfer
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import blind_index, unseal
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

NOTES = {
    "changed": "之后又有变动",
    "moved": "之后换了学校、班或状态",
    "number_taken": "原证件号码已登记在别人名下",
}
"""Why a student stays as she is."""

_CHUNK = 2000


@dataclass(slots=True)
class Reverted:
    """`restored` students are as before; `kept` are not, by reason, some named: {code: [education id]}.

    `created` were brought in by the run and stay: a student is never deleted. `transfers` asked and
    `absences` noticed by the run are withdrawn.
    """

    restored: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    created: int = 0
    transfers: int = 0
    absences: int = 0

    def as_dict(self) -> dict[str, object]:
        return {
            "restored": self.restored,
            "kept": dict(self.kept),
            "examples": self.examples,
            "created": self.created,
            "transfers": self.transfers,
            "absences": self.absences,
        }


def revert_run(actor: Actor, run_id: int, *, preview: bool = False) -> Reverted:
    """Take a run back, in the caller's transaction; `preview` does the same work and undoes it.

    Raises NotFound `IMPORT_NOT_FOUND`; Refused `IMPORT_NOT_REVERTIBLE`, `IMPORT_TOO_OLD`. Needs
    `city:registry:import`.
    """
    actor.require(runs.PERMISSION)
    run = ImportRun.objects.visible_to(actor.scope).filter(id=run_id).first()
    if run is None:
        raise NotFound("IMPORT_NOT_FOUND", "没有这次导入。")
    if problem := why_not(run):
        raise problem
    runs.one_at_a_time(actor)
    done = Reverted(created=run.created)
    with runs.rehearsal(preview):
        _students(run, done)
        _transfers(actor, run, done)
        _absences(actor, run, done)
        ImportRun.objects.filter(id=run.id).update(reverted_at=clock.now(), reverted_by=actor.username)
    if not preview:
        counts = {"restored": done.restored, "kept": done.kept.total(), "created": done.created}
        record(actor, "oneroster.revert", "import", run.id, detail=counts)
    return done


def why_not(run: ImportRun) -> Refused | None:
    """Why a run cannot be taken back, or None."""
    if run.kind != "oneroster" or run.dry_run or run.reverted_at:
        return Refused(
            "IMPORT_NOT_REVERTIBLE",
            "这次导入不能撤回：只有正式导入、还没有撤回的 OneRoster 包可以。",
        )
    last = clock.local(run.at).date() + timedelta(days=settings.ONEROSTER_BACK_DAYS)
    if clock.today() > last:
        return Refused(
            "IMPORT_TOO_OLD",
            f"已过撤回期限（{last}）。",
            found=str(clock.today()),
            expected=f"{last} 以前",
            action="请由登记方下发更正后的数据。",
        )
    return None


def _students(run: ImportRun, done: Reverted) -> None:
    wanted = StudentBefore.objects.filter(run=run, outcome="applied").order_by("student_id")
    while rows := list(wanted.select_related("student", "school__district")[:_CHUNK]):
        _restore(rows, done)


def _restore(rows: Sequence[StudentBefore], done: Reverted) -> None:
    students = {
        each.id: each
        for each in Student.objects.select_for_update(of=("self",))
        .select_related("school")
        .filter(id__in=[row.student_id for row in rows])
        .order_by("id")
    }
    going: list[StudentBefore] = []
    for row in rows:
        note = _note(row, students[row.student_id])
        row.outcome, row.note = ("kept", note) if note else ("restored", "")
        if not note:
            going.append(row)
    sealed = {row.student_id: unseal(bytes(row.envelope)) for row in going}
    # Numbers that were exchanged within the run are let go before anybody takes hers back.
    Student.objects.filter(id__in=list(sealed)).update(id_index=None)
    indexes = {identity: _indexes(values) for identity, values in sealed.items()}
    held = {
        bytes(index)
        for index in Student.objects.filter(
            id_index__in=[index for index, _ in indexes.values() if index]
        ).values_list("id_index", flat=True)
        if index is not None
    }
    for row in going:
        if indexes[row.student_id][0] in held:
            row.outcome, row.note = "kept", "number_taken"
            student = students[row.student_id]
            Student.objects.filter(id=student.id).update(id_index=student.id_index)
    back = [row for row in going if row.outcome == "restored"]
    _write(back, {row.student_id: indexes[row.student_id] for row in back})
    StudentBefore.objects.bulk_update(rows, ["outcome", "note"], batch_size=_CHUNK)
    done.restored += len(back)
    for row in rows:
        if row.outcome == "kept":
            done.kept[row.note] += 1
            named = done.examples.setdefault(row.note, [])
            if len(named) < 5:
                named.append(students[row.student_id].education_id)


def _note(row: StudentBefore, student: Student) -> str:
    """Why this student is not what the run made of her any more, or empty."""
    if (student.school_class_id, student.status) != (row.after_class_id, row.after_status):
        return "moved"
    return "" if bytes(student.row_digest) == bytes(row.after_digest) else "changed"


def _indexes(values: dict[str, Any]) -> tuple[bytes | None, bytes | None]:
    number = values["id_number"]
    phone = next((guardian["phone"] for guardian in values["guardians"]), "")
    return (
        blind_index(ID_KIND, id_key(values["id_type"], number)) if number else None,
        blind_index(PHONE_KIND, phone) if phone else None,
    )


def _write(rows: Sequence[StudentBefore], indexes: dict[int, tuple[bytes | None, bytes | None]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_END_ENROLMENTS, {"rows": [row.id for row in rows], "today": clock.today()})
        cursor.executemany(
            _PUT_BACK,
            [
                {
                    "before": row.id,
                    "id_index": indexes[row.student_id][0],
                    "phone_index": indexes[row.student_id][1],
                    "today": clock.today(),
                    "now": clock.now(),
                }
                for row in rows
            ],
        )


_END_ENROLMENTS = """
    INSERT INTO registry_enrolment
           (student_id, school_id, school_class_id, status, from_date, to_date, reason)
    SELECT x.id, x.school_id, x.school_class_id, x.status, x.enrolled_from,
           greatest(x.enrolled_from, %(today)s::date), 'taken_back'
      FROM registry_studentbefore b JOIN registry_student x ON x.id = b.student_id
     WHERE b.id = ANY(%(rows)s) AND (b.school_class_id, b.status) <> (x.school_class_id, x.status)
     ORDER BY x.id
"""

_PUT_BACK = """
    UPDATE registry_student x
       SET name = b.name, sort_key = b.sort_key, sort_key_by_hand = b.sort_key_by_hand, sex = b.sex,
           birth_year = b.birth_year, status = b.status, school_id = b.school_id,
           school_class_id = b.school_class_id, envelope = b.envelope, row_digest = b.row_digest,
           id_index = %(id_index)s, phone_index = %(phone_index)s, updated_at = %(now)s,
           enrolled_from = CASE WHEN (b.school_class_id, b.status) <> (x.school_class_id, x.status)
                                THEN greatest(x.enrolled_from, %(today)s::date) ELSE x.enrolled_from END
      FROM registry_studentbefore b
     WHERE b.id = %(before)s AND x.id = b.student_id
"""


def _transfers(actor: Actor, run: ImportRun, done: Reverted) -> None:
    asked = Transfer.objects.filter(state=OPEN, origin="roster", asked_at=run.at)
    ids = list(asked.order_by("id").values_list("id", flat=True))
    if ids:
        apply(TRANSFER, Transfer, ids, "withdraw", actor, reason="导入已撤回")
        Transfer.objects.filter(id__in=ids).update(closed_at=clock.now())
    done.transfers = len(ids)


def _absences(actor: Actor, run: ImportRun, done: Reverted) -> None:
    noticed = Absence.objects.filter(run=run, state__in=["missing", "confirmed"])
    ids = list(noticed.order_by("id").values_list("id", flat=True))
    if ids:
        apply(ABSENCE, Absence, ids, "keep", actor, reason="导入已撤回")
    done.absences = len(ids)


def forget_befores() -> int:
    """Delete what students were before runs that cannot be taken back any more; returns how many rows."""
    last = clock.now() - timedelta(days=settings.ONEROSTER_BACK_DAYS + 1)
    old = StudentBefore.objects.filter(run__at__lt=last).order_by("id").values_list("id", flat=True)[:20_000]
    return StudentBefore.objects.filter(id__in=list(old)).delete()[0]

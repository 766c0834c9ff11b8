"""The consent of guardians: given and withdrawn, never overwritten (decisions: Consent)."""

from collections.abc import Sequence

from django.db import connection

from xueka.contexts.registry.models import Consent
from xueka.contexts.registry.services.locking import lock_students
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal
from xueka.platform.identity.actor import Actor

GIVEN, WITHDRAWN = "given", "withdrawn"
CONSENT_ACTIONS = {GIVEN: "同意", WITHDRAWN: "撤回同意"}
CONSENT_METHODS = {"paper": "纸质回执", "page": "家长页面", "counter": "窗口办理"}


def record_consent(
    actor: Actor,
    student_ids: Sequence[int],
    action: str,
    notice_version: str,
    given_by: str,
    method: str,
) -> int:
    """Record what guardians decided for these students; returns how many records were made.

    `given_by` is the guardian's name as signed; empty where a list of paper slips is recorded together.
    Raises BadInput, NotFound `STUDENT_NOT_FOUND`, or Refused `CONSENT_NOT_GIVEN` for a withdrawal of what
    was never given. Needs `school:consent:record`.
    """
    actor.require("school:consent:record")
    notice_version, given_by = normalise(notice_version), normalise(given_by)
    if action not in CONSENT_ACTIONS or method not in CONSENT_METHODS:
        raise BadInput(
            "CONSENT_UNKNOWN",
            "同意的种类或方式无法识别。",
            found=f"{action}、{method}",
            expected="、".join((*CONSENT_ACTIONS, *CONSENT_METHODS)),
        )
    if not notice_version or len(notice_version) > 32:
        raise BadInput("NOTICE_VERSION", "请写明告知书的版本。", expected="32 字以内的版本号")
    students = lock_students(actor, student_ids)
    if action == WITHDRAWN:
        missing = without_consent([student.id for student in students])
        if missing:
            raise Refused(
                "CONSENT_NOT_GIVEN",
                f"有 {len(missing)} 名学生没有有效的同意记录，无从撤回。",
                found=len(missing),
                action="请只选择已经同意的学生。",
            )
    now = clock.now()
    Consent.objects.bulk_create(
        Consent(
            student=student,
            action=action,
            notice_version=notice_version,
            given_by=seal({"name": given_by}),
            method=method,
            at=now,
            recorded_by=actor.username,
        )
        for student in students
    )
    record(
        actor,
        f"consent.{action}",
        "student",
        students[0].education_id if len(students) == 1 else "",
        detail={
            "students": len(students),
            "education_ids": [student.education_id for student in students[:100]],
            "notice_version": notice_version,
            "method": method,
        },
    )
    return len(students)


def last_consent(student_id: int) -> str | None:
    """What was said last for a student: given, withdrawn, or None."""
    said = Consent.objects.filter(student_id=student_id).order_by("-id").values_list("action", flat=True)
    return said.first()


def withdrawn(student_ids: Sequence[int]) -> set[int]:
    """Those of the students whose guardians said last that they withdraw."""
    last = Consent.objects.filter(student__in=student_ids).order_by("student", "-id").distinct("student")
    return {student for student, action in last.values_list("student", "action") if action == WITHDRAWN}


def without_consent(student_ids: Sequence[int]) -> set[int]:
    """Those of the students whose guardians have not consented, or have withdrawn."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.id FROM unnest(%s::bigint[]) AS wanted (id)
              LEFT JOIN LATERAL (SELECT action FROM registry_consent c
                                  WHERE c.student_id = wanted.id ORDER BY c.id DESC LIMIT 1) last ON true
             WHERE last.action IS DISTINCT FROM 'given'
            """,
            [list(student_ids)],
        )
        return {identity for (identity,) in cursor.fetchall()}

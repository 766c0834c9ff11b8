"""A transfer that a person asks for, from either side."""

from django.conf import settings
from django.db import IntegrityError, transaction

from xueka.contexts.registry.domain.ladder import TIMING, Rung, timing_warnings
from xueka.contexts.registry.domain.transitions import OPEN, TRANSFER
from xueka.contexts.registry.models import School, SchoolClass, Student, Transfer
from xueka.contexts.registry.services.deadlines import due_on
from xueka.contexts.registry.services.directory import PRESENT, no_school
from xueka.contexts.registry.services.locking import no_student
from xueka.contexts.registry.services.transfers import (
    ACCEPT,
    RELEASE,
    across_districts,
    class_of,
    move_if_agreed,
)
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.text import compact, normalise
from xueka.platform.audit.services import record
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor

REASON_LIMIT = 200


def ask_transfer(
    actor: Actor, education_id: str, name: str, to_school: str, reason: str, class_id: int | None = None
) -> Transfer:
    """Ask that a student may go to `to_school` (code).

    The school where she is asks for its own student; the school where she goes names her by education ID and
    full name, because it does not see her yet. A school of the same district has agreed by asking. Without
    `class_id` the first class of her grade is taken; the accepting side may choose another.

    Raises NotFound `STUDENT_NOT_FOUND`, `SCHOOL_NOT_FOUND`, `CLASS_NOT_FOUND`; BadInput `REASON_MISSING`;
    Refused `TRANSFER_SAME_SCHOOL`, `SCHOOL_CLOSED`, `NOT_ENROLLED`, `TRANSFER_OPEN`, `TRANSFER_NO_CLASS`,
    `TRANSFER_TIMING`. Needs `school:transfer:ask`.
    """
    actor.require("school:transfer:ask")
    reason = normalise(reason)[:REASON_LIMIT]
    if not reason:
        raise BadInput("REASON_MISSING", "请写明转学的理由。", expected="一句话的理由")
    target = School.objects.filter(code=compact(to_school)).first()
    if target is None:
        raise no_school()
    student, side = _find(actor, compact(education_id), normalise(name), target)
    warnings = _judge(student, target)
    chosen = class_of(target, class_id) if class_id is not None else _first_class(student, target)
    transfer = Transfer(
        student=student,
        from_school=student.school,
        to_school=target,
        to_class=chosen,
        state=TRANSFER.initial,
        asked_at=clock.now(),
        origin="person",
        asked_by=actor.username,
        asked_side=side,
        reason=reason,
        due_on=due_on(),
        warnings=warnings,
    )
    _confirm_by_asking(actor, transfer, side)
    try:
        with transaction.atomic():
            transfer.save()
    except IntegrityError:  # somebody asked in this moment
        raise _already_open() from None
    begin(TRANSFER, [transfer.id], actor)
    move_if_agreed(actor, transfer)
    record(
        actor,
        "transfer.ask",
        "transfer",
        transfer.id,
        detail={
            "education_id": student.education_id,
            "from": student.school.code,
            "to": target.code,
            "reason": reason,
            "warnings": warnings,
            "state": transfer.state,
        },
    )
    return transfer


def _find(actor: Actor, education_id: str, name: str, target: School) -> tuple[Student, str]:
    """The student, locked, and the side that asks."""
    rows = Student.objects.select_related("school", "school_class").select_for_update(of=("self",))
    student = rows.filter(education_id=education_id).first()
    if student is None:
        raise no_student()
    here = student.school
    if actor.scope.covers(district=here.district_id, school=here.code):
        return student, RELEASE
    if student.name == name and actor.scope.covers(district=target.district_id, school=target.code):
        return student, ACCEPT
    raise no_student()


def _judge(student: Student, target: School) -> list[str]:
    """What speaks against it at this time of the year; raises where it cannot be at all."""
    if target.id == student.school_id:
        raise Refused("TRANSFER_SAME_SCHOOL", f"{student.name}已经在{target.name}。")
    if not target.is_open:
        raise Refused("SCHOOL_CLOSED", f"{target.name}已经撤销，不能转入。", action="请另选学校。")
    if student.status not in PRESENT:
        raise Refused("NOT_ENROLLED", f"{student.name}的学籍状态是{student.status}，不能转学。")
    if Transfer.objects.filter(student=student, state=OPEN).exists():
        raise _already_open()
    if settings.REGISTRY_TRANSFER_TIMING == "off":
        return []
    today = clock.today()
    rung = Rung(student.school_class.stage, student.school_class.grade)
    warnings = timing_warnings(student.school.schooling, rung, today.month, today.day)
    if warnings and settings.REGISTRY_TRANSFER_TIMING == "refuse":
        raise Refused("TRANSFER_TIMING", "".join(TIMING[code] for code in warnings))
    return warnings


def _already_open() -> Refused:
    return Refused("TRANSFER_OPEN", "这名学生已有一笔转学在办。", action="请先办完，或请申请的一方撤回。")


def _first_class(student: Student, target: School) -> SchoolClass:
    here = student.school_class
    found = target.classes.filter(stage=here.stage, grade=here.grade).order_by("name", "id").first()
    if found is None:
        raise Refused(
            "TRANSFER_NO_CLASS",
            f"{target.name}没有{here.stage}{here.grade}年级的班。",
            action="请核对学校和学段；班级由学籍名册建立。",
        )
    return found


def _confirm_by_asking(actor: Actor, transfer: Transfer, side: str) -> None:
    if across_districts(transfer):
        return
    if settings.REGISTRY_TRANSFER_INSIDE_WAIVED:
        transfer.released_by = transfer.accepted_by = actor.username
    elif actor.scope.level == "school":
        setattr(transfer, "released_by" if side == RELEASE else "accepted_by", actor.username)

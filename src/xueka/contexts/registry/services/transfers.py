"""Transfers between schools: both sides confirm, then the student moves.

Across districts the sides are the districts, inside one the schools; a district may stand in for its schools.
"""

from xueka.contexts.registry.domain.transitions import OPEN, TRANSFER
from xueka.contexts.registry.models import Enrolment, School, SchoolClass, Student, Transfer
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

RELEASE, ACCEPT = "release", "accept"
TRANSFER_SIDES = {RELEASE: "转出方", ACCEPT: "转入方"}
_CONFIRMED_BY = {RELEASE: "released_by", ACCEPT: "accepted_by"}


def confirm_transfer(actor: Actor, transfer_id: int, side: str, class_id: int | None = None) -> Transfer:
    """Confirm for the releasing or the accepting side; the second confirmation moves the student.

    The accepting side may choose another class of its school (`class_id`). Raises NotFound
    `TRANSFER_NOT_FOUND` or `CLASS_NOT_FOUND`, Forbidden `TRANSFER_OTHER_SIDE`, Refused
    `TRANSFER_ALREADY_CONFIRMED` or `TRANSITION_NOT_ALLOWED`. Needs `school:transfer:confirm`, across
    districts `district:transfer:confirm`.
    """
    transfer = _lock(actor, transfer_id, side)
    if transfer.state == OPEN and getattr(transfer, _CONFIRMED_BY[side]):
        raise Refused(
            "TRANSFER_ALREADY_CONFIRMED",
            f"{TRANSFER_SIDES[side]}已经确认过。",
            action="请等待另一方确认，无需重复办理。",
        )
    TRANSFER.target("close", transfer.state)
    if side == ACCEPT and class_id is not None:
        transfer.to_class = class_of(transfer.to_school, class_id)
    setattr(transfer, _CONFIRMED_BY[side], actor.username)
    transfer.save(update_fields=[_CONFIRMED_BY[side], "to_class"])
    move_if_agreed(actor, transfer)
    record(actor, f"transfer.{side}", "transfer", transfer.id, detail=_detail(transfer))
    return transfer


def reject_transfer(actor: Actor, transfer_id: int, side: str, reason: str) -> Transfer:
    """Send a transfer back; the student stays. The next roster that still shows the move asks again.

    Raises as `confirm_transfer`, and BadInput `REASON_MISSING`.
    """
    transfer = _lock(actor, transfer_id, side)
    reason = normalise(reason)
    if not reason:
        raise BadInput("REASON_MISSING", "请写明退回的理由。", expected="一句话的理由")
    transfer.rejected_by = actor.username
    _end(actor, transfer, "reject", reason)
    # The digest says "nothing new in this row"; without it the row is looked at again.
    Student.objects.filter(id=transfer.student_id).update(row_digest=b"")
    return transfer


def withdraw_transfer(actor: Actor, transfer_id: int, reason: str) -> Transfer:
    """The side that asked takes its request back.

    Raises NotFound, BadInput `REASON_MISSING`, Refused `TRANSFER_BY_ROSTER` where no person asked, Forbidden
    `TRANSFER_OTHER_SIDE`. Needs `school:transfer:ask`.
    """
    actor.require("school:transfer:ask")
    transfer = _visible(actor, transfer_id)
    if transfer.origin != "person":
        raise Refused(
            "TRANSFER_BY_ROSTER", "这笔转学来自学籍名册，不能撤回。", action="不同意的一方可以写明理由退回。"
        )
    _require_side(actor, transfer, transfer.asked_side)
    reason = normalise(reason)
    if not reason:
        raise BadInput("REASON_MISSING", "请写明撤回的理由。", expected="一句话的理由")
    _end(actor, transfer, "withdraw", reason)
    return transfer


def across_districts(transfer: Transfer) -> bool:
    return transfer.from_school.district_id != transfer.to_school.district_id


def class_of(school: School, class_id: int) -> SchoolClass:
    """A class of this school. Raises NotFound `CLASS_NOT_FOUND`."""
    found = school.classes.filter(id=class_id).first()
    if found is None:
        raise NotFound("CLASS_NOT_FOUND", f"{school.name}没有这个班。", action="请另选一个班。")
    return found


def move_if_agreed(actor: Actor, transfer: Transfer) -> None:
    """The student goes as soon as both sides have confirmed; the transfer is locked by the caller."""
    if not (transfer.released_by and transfer.accepted_by):
        return
    now, today = clock.now(), clock.today()
    student = Student.objects.select_for_update(of=("self",)).get(id=transfer.student_id)
    apply(TRANSFER, Transfer, [transfer.id], "close", actor)
    transfer.refresh_from_db(fields=["state"])
    transfer.closed_at = now
    transfer.save(update_fields=["closed_at"])
    Enrolment.objects.create(
        student=student,
        school_id=student.school_id,
        school_class_id=student.school_class_id,
        status=student.status,
        from_date=student.enrolled_from,
        to_date=max(today, student.enrolled_from),
        reason="transfer",
    )
    student.school_id, student.school_class_id = transfer.to_school_id, transfer.to_class_id
    student.enrolled_from = max(today, student.enrolled_from)
    student.updated_at = now
    student.save(update_fields=["school", "school_class", "enrolled_from", "updated_at"])


def _end(actor: Actor, transfer: Transfer, event: str, reason: str) -> None:
    apply(TRANSFER, Transfer, [transfer.id], event, actor, reason=reason)
    transfer.refresh_from_db(fields=["state"])
    transfer.closed_at = clock.now()
    transfer.save(update_fields=["rejected_by", "closed_at"])
    record(
        actor, f"transfer.{event}", "transfer", transfer.id, detail={**_detail(transfer), "reason": reason}
    )


def _lock(actor: Actor, transfer_id: int, side: str) -> Transfer:
    actor.require("school:transfer:confirm")
    if side not in TRANSFER_SIDES:
        raise ValueError(f"unknown side: {side!r}")
    transfer = _visible(actor, transfer_id)
    if across_districts(transfer):
        actor.require("district:transfer:confirm")
    _require_side(actor, transfer, side)
    return transfer


def _visible(actor: Actor, transfer_id: int) -> Transfer:
    if not Transfer.objects.visible_to(actor.scope).filter(id=transfer_id).exists():
        raise NotFound("TRANSFER_NOT_FOUND", "没有找到这笔转学。")
    return (
        Transfer.objects.select_for_update(of=("self",))
        .select_related("from_school", "to_school", "to_class", "student")
        .get(id=transfer_id)
    )


def _require_side(actor: Actor, transfer: Transfer, side: str) -> None:
    school = transfer.from_school if side == RELEASE else transfer.to_school
    if not actor.scope.covers(district=school.district_id, school=school.code):
        raise Forbidden(
            "TRANSFER_OTHER_SIDE",
            f"这一步由{TRANSFER_SIDES[side]}办理。",
            found=str(actor.scope),
            expected=school.district_id if across_districts(transfer) else school.code,
            action="请等待对方确认。",
        )


def _detail(transfer: Transfer) -> dict[str, str]:
    return {
        "education_id": transfer.student.education_id,
        "from": transfer.from_school.code,
        "to": transfer.to_school.code,
        "state": transfer.state,
    }

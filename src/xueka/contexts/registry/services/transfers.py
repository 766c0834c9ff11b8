"""Transfers between districts: both confirm, then the student moves."""

from xueka.contexts.registry.domain.transitions import OPEN, TRANSFER
from xueka.contexts.registry.models import Enrolment, Student, Transfer
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

RELEASE, ACCEPT = "release", "accept"
TRANSFER_SIDES = {RELEASE: "转出区", ACCEPT: "转入区"}
_CONFIRMED_BY = {RELEASE: "released_by", ACCEPT: "accepted_by"}


def confirm_transfer(actor: Actor, transfer_id: int, side: str) -> Transfer:
    """Confirm for the releasing or the accepting district; the second confirmation moves the student.

    Raises NotFound `TRANSFER_NOT_FOUND`, Forbidden `TRANSFER_OTHER_DISTRICT`, Refused
    `TRANSFER_ALREADY_CONFIRMED` or `TRANSITION_NOT_ALLOWED`. Needs `district:transfer:confirm`.
    """
    transfer = _lock(actor, transfer_id, side)
    if transfer.state == OPEN and getattr(transfer, _CONFIRMED_BY[side]):
        raise Refused(
            "TRANSFER_ALREADY_CONFIRMED",
            f"{TRANSFER_SIDES[side]}已经确认过。",
            action="请等待另一区确认，无需重复办理。",
        )
    TRANSFER.target("close", transfer.state)
    setattr(transfer, _CONFIRMED_BY[side], actor.username)
    transfer.save(update_fields=[_CONFIRMED_BY[side]])
    if transfer.released_by and transfer.accepted_by:
        _move(actor, transfer)
    record(actor, f"transfer.{side}", "transfer", transfer.id, detail=_detail(transfer))
    return transfer


def reject_transfer(actor: Actor, transfer_id: int, side: str, reason: str) -> Transfer:
    """Send a transfer back; the student stays. The next roster that still shows the move asks again.

    Raises as `confirm_transfer`, and BadInput `REASON_MISSING`. Needs `district:transfer:confirm`.
    """
    transfer = _lock(actor, transfer_id, side)
    reason = normalise(reason)
    if not reason:
        raise BadInput("REASON_MISSING", "请写明退回的理由。", expected="一句话的理由")
    apply(TRANSFER, Transfer, [transfer.id], "reject", actor, reason=reason)
    transfer.refresh_from_db()
    transfer.rejected_by, transfer.closed_at = actor.username, clock.now()
    transfer.save(update_fields=["rejected_by", "closed_at"])
    # The digest says "nothing new in this row"; without it the row is looked at again.
    Student.objects.filter(id=transfer.student_id).update(row_digest=b"")
    record(actor, "transfer.reject", "transfer", transfer.id, detail={**_detail(transfer), "reason": reason})
    return transfer


def _lock(actor: Actor, transfer_id: int, side: str) -> Transfer:
    actor.require("district:transfer:confirm")
    if side not in TRANSFER_SIDES:
        raise ValueError(f"unknown side: {side!r}")
    visible = Transfer.objects.visible_to(actor.scope).filter(id=transfer_id).exists()
    if not visible:
        raise NotFound("TRANSFER_NOT_FOUND", "没有找到这笔转学。")
    transfer = (
        Transfer.objects.select_for_update(of=("self",))
        .select_related("from_school", "to_school", "student")
        .get(id=transfer_id)
    )
    school = transfer.from_school if side == RELEASE else transfer.to_school
    if not actor.scope.covers(district=school.district_id, school=school.code):
        raise Forbidden(
            "TRANSFER_OTHER_DISTRICT",
            f"这一步由{TRANSFER_SIDES[side]}办理。",
            found=str(actor.scope),
            expected=school.district_id,
            action="请等待对方区确认。",
        )
    return transfer


def _move(actor: Actor, transfer: Transfer) -> None:
    now, today = clock.now(), clock.today()
    student = Student.objects.select_for_update(of=("self",)).get(id=transfer.student_id)
    apply(TRANSFER, Transfer, [transfer.id], "close", actor)
    transfer.refresh_from_db()
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


def _detail(transfer: Transfer) -> dict[str, str]:
    return {
        "education_id": transfer.student.education_id,
        "from": transfer.from_school.code,
        "to": transfer.to_school.code,
        "state": transfer.state,
    }

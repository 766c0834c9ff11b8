"""What the school does for a family: a second guardian, another phone, and taking either back."""

from xueka.contexts.families.domain.rules import MOST_GUARDIANS
from xueka.contexts.families.models import RELATIONS, Guardianship
from xueka.contexts.families.queries import guarded
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.kernel.identifiers import clean_phone, phone_problem
from xueka.kernel.masking import mask_name, mask_phone
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import seal, unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import reason_given
from xueka.platform.messages.services import send

MANAGE = "school:family:manage"


def add_guardian(
    actor: Actor, student_id: int, name: str, phone: str, relation: str, reason: str
) -> Guardianship:
    """Another guardian of this child, who can then sign in with this phone.

    Raises NotFound, BadInput, Refused `GUARDIAN_KNOWN`, `GUARDIANS_FULL`. Needs `school:family:manage`.
    """
    actor.require(MANAGE)
    reason = reason_given(reason)
    student = _locked(actor, student_id)
    phone = _new_phone(student, phone)
    if student.guardianships.filter(ended_at=None).count() >= MOST_GUARDIANS:
        raise Refused(
            "GUARDIANS_FULL",
            f"已登记了 {MOST_GUARDIANS} 位监护人。",
            expected=f"每名学生最多 {MOST_GUARDIANS} 位",
            action="请先停用不再使用的手机号。",
        )
    made = _write(actor, student, name, phone, relation, reason)
    _tell(student, phone, "PHONE_ADDED", made)
    record(actor, "family.add_guardian", "student", student.education_id, detail=_detail(phone, reason))
    return made


def change_phone(actor: Actor, student_id: int, key: str, phone: str, reason: str) -> Guardianship:
    """The guardian `key` (as `guardians` gives it) has another phone; the old one sees this child no more.

    Raises NotFound `GUARDIAN_NOT_FOUND`, BadInput, Refused `GUARDIAN_KNOWN`. Needs `school:family:manage`.
    """
    actor.require(MANAGE)
    reason = reason_given(reason)
    student = _locked(actor, student_id)
    old, row = _guardian(student, key)
    phone = _new_phone(student, phone)
    if row is not None:
        _end(actor, row, "换了手机号")
    made = _write(actor, student, old["name"], phone, old["relation"], reason, replaces=old["phone"])
    _tell(student, old["phone"], "PHONE_REPLACED", made)
    _tell(student, phone, "PHONE_ADDED", made)
    detail = {**_detail(phone, reason), "old": mask_phone(old["phone"])}
    record(actor, "family.change_phone", "student", student.education_id, detail=detail)
    return made


def end_guardian(actor: Actor, student_id: int, key: str, reason: str) -> None:
    """A phone that the school added stands for this child no more. Needs `school:family:manage`.

    Raises NotFound `GUARDIAN_NOT_FOUND`; Refused `GUARDIAN_OF_ROSTER`: that phone is changed, not ended.
    """
    actor.require(MANAGE)
    reason = reason_given(reason)
    student = _locked(actor, student_id)
    values, row = _guardian(student, key)
    if row is None:
        raise Refused(
            "GUARDIAN_OF_ROSTER",
            "学籍登记的监护人不能停用。",
            action="手机号变了请用“换手机号”；监护人变了请在学籍系统更正。",
        )
    _end(actor, row, reason)
    _tell(student, values["phone"], "PHONE_REPLACED", row)
    detail = _detail(values["phone"], reason)
    record(actor, "family.end_guardian", "student", student.education_id, detail=detail)


def _locked(actor: Actor, student_id: int) -> registry.Student:
    visible = registry.Student.objects.visible_to(actor.scope).select_related("school")
    found = visible.select_for_update(of=("self",)).filter(id=student_id).first()
    if found is None:
        raise NotFound("STUDENT_NOT_FOUND", "没有这名学生。")
    return found


def _new_phone(student: registry.Student, typed: str) -> str:
    phone = clean_phone(typed)
    if reason := phone_problem(phone):
        raise BadInput(reason.code, reason.message, where="手机号", expected=reason.expected)
    if student.id in guarded(registry.phone_index(phone)):
        raise Refused(
            "GUARDIAN_KNOWN",
            "这个手机号已经登记为该生监护人的手机。",
            found=mask_phone(phone),
            action="不用再登记，家长可以直接登录。",
        )
    return phone


def _guardian(student: registry.Student, key: str) -> tuple[dict[str, str], Guardianship | None]:
    if key.isdecimal():
        row = student.guardianships.filter(pk=int(key), ended_at=None).first()
        if row is not None:
            return unseal(bytes(row.envelope)), row
    elif key == "roster":
        for each in registry.roster_guardians(student):
            if each["phone"] and student.id in guarded(registry.phone_index(each["phone"])):
                return each, None
    raise NotFound("GUARDIAN_NOT_FOUND", "没有这位监护人，或已经停用。", action="请刷新页面。")


def _write(
    actor: Actor,
    student: registry.Student,
    name: str,
    phone: str,
    relation: str,
    reason: str,
    replaces: str = "",
) -> Guardianship:
    name = normalise(name)
    if not replaces and (not name or len(name) > 50):
        raise BadInput("GUARDIAN_NAME", "请填写监护人姓名。", where="姓名", expected="50 字以内")
    if not replaces and relation not in RELATIONS:
        raise BadInput(
            "GUARDIAN_RELATION", "请选择与孩子的关系。", where="关系", expected="、".join(RELATIONS)
        )
    return Guardianship.objects.create(
        student=student,
        envelope=seal({"name": name, "phone": phone, "relation": relation}),
        phone_index=registry.phone_index(phone),
        replaces_index=registry.phone_index(replaces) if replaces else None,
        reason=reason,
        added_at=clock.now(),
        added_by=actor.username,
    )


def _end(actor: Actor, row: Guardianship, why: str) -> None:
    row.ended_at, row.ended_by, row.ended_why = clock.now(), actor.username, why
    row.save(update_fields=["ended_at", "ended_by", "ended_why"])


def _tell(student: registry.Student, phone: str, template: str, row: Guardianship) -> None:
    values = {"school": student.school.name, "child": mask_name(student.name)}
    ended = ".ended" if row.ended_at else ""
    send(phone, template, values, f"{template}.{row.pk}{ended}")


def _detail(phone: str, reason: str) -> dict[str, str]:
    return {"phone": mask_phone(phone), "reason": reason}

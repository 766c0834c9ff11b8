"""What may happen to a school as a whole: it is renamed, closed, opened again; its schooling is set."""

from xueka.contexts.registry.domain.ladder import SCHOOLINGS
from xueka.contexts.registry.domain.vocabulary import PRESENT
from xueka.contexts.registry.models import School, Student
from xueka.contexts.registry.services.moving import PERMISSION
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

NAME_LIMIT = 100


def rename_school(actor: Actor, school_id: int, name: str) -> str:
    """Give a school another name; returns the one it had. Needs `city:student:move`."""
    actor.require(PERMISSION)
    name = normalise(name)
    if not name or len(name) > NAME_LIMIT:
        raise BadInput("SCHOOL_NAME", "学校名称不对。", found=name[:40], expected=f"1–{NAME_LIMIT} 个字")
    school = _lock(school_id)
    before, school.name = school.name, name
    school.save(update_fields=["name"])
    record(actor, "school.rename", "school", school.code, detail={"from": before, "to": name})
    return before


def close_school(actor: Actor, school_id: int, *, merged_into: int | None = None) -> School:
    """The school keeps its history and takes in nothing new.

    Raises Refused `SCHOOL_CLOSED`, or `SCHOOL_NOT_EMPTY` while students are in it. Needs `city:student:move`.
    """
    actor.require(PERMISSION)
    school = _lock(school_id)
    if not school.is_open:
        raise Refused("SCHOOL_CLOSED", f"{school.name}已经撤销。")
    left = Student.objects.filter(school_id=school_id, status__in=PRESENT).count()
    if left:
        raise Refused(
            "SCHOOL_NOT_EMPTY",
            f"{school.name}还有 {left} 名学生在籍。",
            found=left,
            action="请先把他们转到别的学校，再撤销。",
        )
    school.is_open, school.closed_on, school.merged_into_id = False, clock.today(), merged_into
    school.save(update_fields=["is_open", "closed_on", "merged_into"])
    record(actor, "school.close", "school", school.code, detail={"merged_into": merged_into})
    return school


def reopen_school(actor: Actor, school_id: int) -> School:
    """Take a closing back. Needs `city:student:move`."""
    actor.require(PERMISSION)
    school = _lock(school_id)
    school.is_open, school.closed_on, school.merged_into = True, None, None
    school.save(update_fields=["is_open", "closed_on", "merged_into"])
    record(actor, "school.reopen", "school", school.code)
    return school


def set_schooling(actor: Actor, code: str, schooling: str) -> School:
    """How many grades each stage of this school has: a code of SCHOOLINGS. Needs `city:registry:import`."""
    actor.require("city:registry:import")
    if schooling not in SCHOOLINGS:
        expected = "、".join(f"{one}（{label}）" for one, (label, _) in SCHOOLINGS.items())
        raise BadInput("SCHOOLING_UNKNOWN", "没有这种学制。", found=schooling, expected=expected)
    school = School.objects.visible_to(actor.scope).select_for_update(of=("self",)).filter(code=code).first()
    if school is None:
        raise no_school()
    before, school.schooling = school.schooling, schooling
    school.save(update_fields=["schooling"])
    record(actor, "school.schooling", "school", code, detail={"from": before, "to": schooling})
    return school


def no_school() -> NotFound:
    return NotFound("SCHOOL_NOT_FOUND", "没有找到这所学校。", action="请核对学校标识码。")


def _lock(school_id: int) -> School:
    school = School.objects.select_for_update(of=("self",)).filter(id=school_id).first()
    if school is None:
        raise no_school()
    return school

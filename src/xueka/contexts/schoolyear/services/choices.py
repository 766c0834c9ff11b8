"""What a school says before the year turns: this list is right, this student stays, leaves, changes class."""

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain import rules as r
from xueka.contexts.schoolyear.models import Choice, ClassList
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

CLASS_LIMIT = 32


def this_year() -> int:
    """The school year that jobs and choices of today are for."""
    return r.school_year(clock.today(), rules().season_begins)


def choose(actor: Actor, student_id: int, choice: str, value: str = "") -> Choice:
    """Set what happens to one student at the turn: `repeat`; `leave` with a status of LEAVING; `class` with
    the name of the class next year. A preview made before does not know it yet.

    Raises NotFound `STUDENT_NOT_FOUND`, BadInput `YEAR_CHOICE`. Needs `school:year:manage`.
    """
    actor.require("school:year:manage")
    student = registry.student(actor.scope, student_id)
    value = normalise(value)
    if (
        choice not in r.CHOICES
        or (choice == "leave" and value not in r.LEAVING)
        or (choice == "class" and not 0 < len(value) <= CLASS_LIMIT)
    ):
        expected = "留级；离校（转出或退学）；换班（写明班名）"
        raise BadInput("YEAR_CHOICE", "请选择怎么办。", found=f"{choice} {value}", expected=expected)
    made, _ = Choice.objects.update_or_create(
        student=student,
        school_year=this_year(),
        defaults={
            "choice": choice,
            "value": value if choice != "repeat" else "",
            "made_by": actor.username,
            "made_at": clock.now(),
        },
    )
    _unconfirm(student.school_class_id)
    record(
        actor, "year.choose", "student", student.education_id, detail={"choice": choice, "value": made.value}
    )
    return made


def unchoose(actor: Actor, student_id: int) -> None:
    """The student goes with the others again. Needs `school:year:manage`."""
    actor.require("school:year:manage")
    student = registry.student(actor.scope, student_id)
    if Choice.objects.filter(student=student, school_year=this_year()).delete()[0]:
        _unconfirm(student.school_class_id)
        record(actor, "year.unchoose", "student", student.education_id)


def confirm_list(actor: Actor, class_id: int) -> ClassList:
    """The list of a class is right as it stands; a later choice in it asks again.

    Raises NotFound `CLASS_NOT_FOUND`. Needs `school:year:manage`.
    """
    actor.require("school:year:manage")
    found = registry.SchoolClass.objects.select_related("school").filter(id=class_id).first()
    if found is None or not actor.scope.covers(district=found.school.district_id, school=found.school.code):
        raise NotFound("CLASS_NOT_FOUND", "没有这个班。")
    made, _ = ClassList.objects.get_or_create(
        school_class=found,
        school_year=this_year(),
        defaults={"confirmed_by": actor.username, "confirmed_at": clock.now()},
    )
    record(actor, "year.confirm_list", "class", found.id)
    return made


def _unconfirm(class_id: int) -> None:
    ClassList.objects.filter(school_class_id=class_id, school_year=this_year()).delete()

"""Fetching what is about to be changed: only what the actor may see, locked in the order of ids."""

from collections.abc import Iterable

from xueka.contexts.registry.models import Student
from xueka.kernel.errors import NotFound
from xueka.platform.identity.actor import Actor


def lock_students(actor: Actor, student_ids: Iterable[int]) -> list[Student]:
    """All of them, or NotFound `STUDENT_NOT_FOUND`."""
    wanted = sorted(set(student_ids))
    found = list(
        Student.objects.visible_to(actor.scope)
        .filter(id__in=wanted)
        .order_by("id")
        .select_for_update(of=("self",))
    )
    if len(found) != len(wanted):
        raise no_student()
    return found


def no_student() -> NotFound:
    return NotFound(
        "STUDENT_NOT_FOUND", "没有找到这名学生。", action="请核对教育ID，或确认学生在您负责的范围内。"
    )

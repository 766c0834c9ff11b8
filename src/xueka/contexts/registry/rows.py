"""What list pages and the page of a student stand on, under a scope."""

from django.db.models import QuerySet

from xueka.contexts.registry.models import Consent, Student, Transfer
from xueka.contexts.registry.queries import student
from xueka.platform.identity.scope import Scope


def student_rows(scope: Scope) -> QuerySet[Student]:
    """Every student of a scope with school and class, unordered."""
    return Student.objects.visible_to(scope).select_related("school", "school_class")


def transfer_rows(scope: Scope) -> QuerySet[Transfer]:
    """Every transfer that concerns a scope on either side, unordered."""
    return Transfer.objects.visible_to(scope).select_related(
        "student__school_class", "from_school__district", "to_school__district", "to_class"
    )


def consents(scope: Scope, student_id: int) -> list[Consent]:
    """What the guardians of a student decided, newest first. Raises NotFound `STUDENT_NOT_FOUND`."""
    return list(student(scope, student_id).consents.order_by("-id"))

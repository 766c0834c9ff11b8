"""The guardians of the roster, for the contexts above: whose phone stands for whom, and how old a child is.

Nothing here knows a scope, and names and phones come in clear: the caller keeps both.
"""

from datetime import date
from typing import Any

from xueka.contexts.registry.importing.preparing import PHONE_KIND
from xueka.contexts.registry.models import Student
from xueka.kernel.identifiers import clean_phone
from xueka.platform.crypto.fields import blind_index, unseal


def phone_index(phone: str) -> bytes:
    """The blind index under which a guardian's mobile number is kept."""
    return blind_index(PHONE_KIND, clean_phone(phone))


def guarded_by(index: bytes) -> set[int]:
    """The ids of the students whose guardian has, by the roster, the phone of this index."""
    return set(Student.objects.filter(phone_index=index).values_list("id", flat=True))


def roster_guardians(student: Student) -> list[dict[str, str]]:
    """Name, phone and relation of each guardian that the roster named."""
    guardians: list[dict[str, str]] = _personal(student).get("guardians", [])
    return guardians


def born_on(student: Student) -> date:
    """The day of birth; where no day is known the last one of the year, as for the youngest child."""
    day = _personal(student).get("birth_date", "")
    return date.fromisoformat(day) if day else date(student.birth_year, 12, 31)


def document_of(student: Student) -> tuple[str, str]:
    """Type and number of the identity document; empty where the roster had none. Not for a screen."""
    values = _personal(student)
    return str(values.get("id_type") or ""), str(values.get("id_number") or "")


def _personal(student: Student) -> dict[str, Any]:
    return unseal(bytes(student.envelope)) if student.envelope else {}

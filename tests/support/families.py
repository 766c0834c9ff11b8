"""Synthetic guardians for tests: a student with a guardian's phone, and the code that a phone received."""

from xueka.contexts.registry import api as registry
from xueka.platform.crypto.fields import seal, unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.messages.models import Message

NOBODY = Actor.nobody("10.0.0.1")
PHONE, OTHER = "13800000001", "13800000002"


def with_guardian(
    student_id: int, phone: str = PHONE, name: str = "王建国", born: str = "2015-03-02"
) -> registry.Student:
    """Give a student a sealed envelope with this guardian, as a roster would."""
    guardian = {"name": name, "phone": phone, "relation": ""}
    values = {"birth_date": born, "id_type": "", "id_number": "", "national_number": "", "address": ""}
    registry.Student.objects.filter(pk=student_id).update(
        envelope=seal({**values, "guardians": [guardian]}), phone_index=registry.phone_index(phone)
    )
    return registry.Student.objects.get(pk=student_id)


def code_of(phone: str = PHONE) -> str:
    """The code that was sent to this phone last; empty where none was."""
    for message in Message.objects.filter(template="SIGN_IN_CODE").order_by("-id"):
        known = unseal(bytes(message.envelope))
        if known["phone"] == phone:
            return str(known["values"]["code"])
    return ""

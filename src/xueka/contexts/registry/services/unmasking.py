"""Personal values: masked for everybody, whole only on a click with a reason, which is audited."""

from typing import Any

from xueka.contexts.registry.models import Student
from xueka.contexts.registry.services.locking import no_student
from xueka.kernel.errors import BadInput
from xueka.kernel.masking import mask_id, mask_name, mask_phone
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.actor import Actor

_ADDRESS_SHOWN = 6


def personal(actor: Actor, student_id: int, reason: str) -> dict[str, Any]:
    """A student's birth date, identity document, national number, address and guardians, in clear.

    Raises BadInput `REASON_MISSING`, NotFound `STUDENT_NOT_FOUND`. Needs `school:student:unmask`.
    """
    actor.require("school:student:unmask")
    reason = normalise(reason)
    if not reason:
        raise BadInput("REASON_MISSING", "请写明查看完整信息的理由。", expected="一句话的理由")
    student = Student.objects.visible_to(actor.scope).filter(id=student_id).first()
    if student is None:
        raise no_student()
    record(actor, "student.unmask", "student", student.education_id, detail={"reason": reason[:200]})
    return unseal(bytes(student.envelope))


def masked_personal(student: Student) -> dict[str, Any]:
    """The same fields as screens, logs and exports show them."""
    values = unseal(bytes(student.envelope))
    return {
        "birth_date": f"{values['birth_date'][:4]}-**-**",
        "id_type": values["id_type"],
        "id_number": mask_id(values["id_number"]),
        "national_number": mask_id(values["national_number"]),
        "address": values["address"][:_ADDRESS_SHOWN] + "***" if values["address"] else "",
        "guardians": [
            {
                "name": mask_name(guardian["name"]),
                "phone": mask_phone(guardian["phone"]),
                "relation": guardian["relation"],
            }
            for guardian in values["guardians"]
        ],
    }

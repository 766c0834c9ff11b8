"""Finding a student by a whole number: her own, her identity document's, her guardian's telephone's."""

from django.db.models import QuerySet

from xueka.contexts.registry.models import Student
from xueka.contexts.registry.queries import by_document, by_phone
from xueka.kernel.identifiers import clean_id
from xueka.kernel.masking import mask_id, mask_phone
from xueka.kernel.text import normalise
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

_AT_MOST = 20


def find_by_number(actor: Actor, text: str) -> list[Student]:
    """Students of the actor's scope with this education ID, identity document or guardian's phone.

    Looking for a personal number is audited, found or not, with the number masked. Needs
    `school:student:read`.
    """
    actor.require("school:student:read")
    rows = Student.objects.visible_to(actor.scope).select_related("school", "school_class")
    own = list(rows.filter(education_id=normalise(text)))
    if own:
        return own
    for kind, known, hidden in (("id_number", by_document, mask_id), ("phone", by_phone, mask_phone)):
        found = _first(rows, known(text))
        if found or _looks_like(kind, text):
            record(
                actor,
                "student.find",
                "student",
                found[0].education_id if len(found) == 1 else "",
                detail={"by": kind, "number": hidden(clean_id(text)), "found": len(found)},
            )
        if found:
            return found
    return []


def _first(rows: QuerySet[Student], known: QuerySet[Student]) -> list[Student]:
    ids = list(known.values_list("id", flat=True))  # an index look-up, before the scope is joined
    return list(rows.filter(id__in=ids).order_by("id")[:_AT_MOST]) if ids else []


def _looks_like(kind: str, text: str) -> bool:
    length = len(clean_id(text))
    return length == 18 if kind == "id_number" else length == 11

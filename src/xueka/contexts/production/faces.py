"""The card faces (卡面版式) as the bureau knows them: template, version, digest of the artwork."""

from functools import cache

from xueka.contexts.printing import api as printing
from xueka.contexts.production.domain.bureau.records import CardFace


def face(template: str) -> CardFace:
    """The newest version of a template. Raises Refused `FACE_UNKNOWN`."""
    return CardFace(*printing.template(template))


@cache
def faces() -> list[CardFace]:
    """Every version of every template, with the SM3 of its artwork."""
    return [CardFace(*found) for found in printing.templates()]

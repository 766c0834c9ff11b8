"""The face of one card: what is printed on it, as pictures to look at and as the document for the printer."""

from datetime import date

from django.conf import settings

from xueka.contexts.cards import api as cards
from xueka.contexts.printing.adapters import drawing
from xueka.contexts.printing.adapters.templates import Template, template
from xueka.contexts.printing.domain.faces import SIDES, STAGE_CODES, Contents
from xueka.platform.identity.actor import Actor


def face(actor: Actor, card: cards.Card) -> tuple[Template, Contents]:
    """The newest face of the card's kind, and what this card has on it."""
    student = card.student
    texts = _texts(student.name, student.sex, student.education_id, card.school.name)
    texts |= {
        "validity": f"{_day(card.valid_from)}—{_day(card.valid_until)}" if card.valid_from else "",
        "valid_until": _day(card.valid_until),
        "card_number": card.number,
        "transit_number": card.transit_number,
        "beijing_tong_number": card.beijing_tong_number,
    }
    photo = _photo(actor, card.kind, card.application)
    stage = STAGE_CODES.get(card.school_class.stage, "")
    return template(card.kind.face_template), Contents(texts, stage, photo)


def face_to_come(actor: Actor, application: cards.Application) -> tuple[Template, Contents]:
    """The same for a card that is not planned yet: numbers and validity are blank."""
    student = application.account.student
    texts = _texts(student.name, student.sex, student.education_id, student.school.name)
    photo = _photo(actor, application.kind, application)
    stage = STAGE_CODES.get(student.school_class.stage, "")
    return template(application.kind.face_template), Contents(texts, stage, photo)


def require_printable(of: tuple[Template, Contents]) -> None:
    """Whether it can be printed: raises what `drawing.draw` raises."""
    drawing.draw(*of)


def picture(of: tuple[Template, Contents], side: str) -> bytes:
    """PNG of one side, 1011 × 638 pixels. Raises what `drawing.draw` raises."""
    return drawing.png(drawing.draw(*of, [side])[side])


def document(of: tuple[Template, Contents]) -> bytes:
    """The PDF for the printer, front and back. Raises what `drawing.draw` raises."""
    sides = drawing.draw(*of)
    return drawing.document([sides[side] for side in SIDES])


def _texts(name: str, sex: str, education_id: str, school: str) -> dict[str, str]:
    hotline = f"服务热线 {settings.CARD_HOTLINE}" if settings.CARD_HOTLINE else ""
    return {
        "name": name,
        "sex": sex,
        "education_id": education_id,
        "school_name": school,
        "hotline": hotline,
    }


def _photo(actor: Actor, kind: cards.CardKind, application: cards.Application) -> bytes | None:
    if not kind.photo_printed or application.photo_id is None:
        return None
    return cards.photo_bytes(actor, application.photo_id)


def _day(day: date | None) -> str:
    return f"{day.year}年{day.month}月{day.day}日" if day else ""

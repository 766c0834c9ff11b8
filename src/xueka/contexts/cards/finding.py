"""What the search boxes of lists find: one index for each kind of number, one for names, never a scan."""

from django.db.models import Q, QuerySet

from xueka.contexts.cards.models import Application, Card, CardAccount
from xueka.contexts.registry import api as registry
from xueka.kernel.text import normalise


def find_cards(rows: QuerySet[Card], text: str) -> QuerySet[Card]:
    """Cards with this number of their own, or of a student with this education ID or part of a name."""
    text = normalise(text)
    if not _is_number(text):
        return rows.filter(student__in=_students(text))
    return rows.filter(Q(id__in=numbered_cards(text)) | Q(student__in=list(_students(text))))


def find_applications(rows: QuerySet[Application], text: str) -> QuerySet[Application]:
    """Applications with this number, or of a student with this education ID or part of a name."""
    text = normalise(text)
    if not _is_number(text):
        return rows.filter(account__student__in=_students(text))
    own = Application.objects.filter(number=text.upper()).values_list("id", flat=True)
    accounts = CardAccount.objects.filter(student__in=list(_students(text))).values_list("id", flat=True)
    return rows.filter(Q(id__in=list(own)) | Q(account__in=list(accounts)))


def numbered_cards(text: str) -> list[int]:
    """Ids of cards that bear this number: their own, of the transit company, of Beijing-Tong, of the chip."""
    numbers = {"number": text, "transit_number": text, "beijing_tong_number": text, "chip_uid": text.upper()}
    each = [
        Card.objects.filter(**{name: value}).values_list("id", flat=True) for name, value in numbers.items()
    ]
    return sorted(set(each[0].union(*each[1:], all=True)))


def _students(text: str) -> QuerySet[registry.Student, int]:
    """Ids; the caller keeps the scope."""
    if _is_number(text):
        return registry.Student.objects.filter(education_id=text).values_list("id", flat=True)
    return registry.named(registry.Student.objects.all(), text).values_list("id", flat=True)


def _is_number(text: str) -> bool:
    return text.isascii() and any(char.isdigit() for char in text)

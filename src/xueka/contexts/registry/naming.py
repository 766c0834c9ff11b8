"""Students by a part of their name, along an index (docs/adr/0085).

A single character is looked for at the beginning, where it is a surname; two and more anywhere in the name.
"""

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, QuerySet, TextField

from xueka.contexts.registry.models import Student
from xueka.kernel.text import normalise

_PAIRS = Func(F("name"), function="registry_pairs", output_field=ArrayField(TextField()))


def named(rows: QuerySet[Student], text: str) -> QuerySet[Student]:
    """Those of `rows` whose name holds `text`."""
    text = normalise(text)
    if len(text) < 2:
        return rows.filter(name__startswith=text)
    pairs = [text[at : at + 2] for at in range(len(text) - 1)]
    rows = rows.alias(pairs=_PAIRS).filter(pairs__contains=pairs)  # type: ignore[misc]
    return rows if len(text) == 2 else rows.filter(name__contains=text)


def find_students(rows: QuerySet[Student], text: str) -> QuerySet[Student]:
    """Those of `rows` with this education ID or this part of a name."""
    text = normalise(text)
    if text.isascii() and any(char.isdigit() for char in text):
        return rows.filter(education_id=text)
    return named(rows, text)

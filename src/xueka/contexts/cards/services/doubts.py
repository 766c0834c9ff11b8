"""Doubts: what is allowed, but deserves a reviewer's look. Computed for many applications at once."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.rules import DOUBTS
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.registry import api as registry
from xueka.kernel import clock

_A_YEAR = timedelta(days=365)
_HANDED_OUT = [s.ACTIVE, s.LOST, s.CANCELLED]


def of(application_ids: Sequence[int]) -> dict[int, list[str]]:
    """Doubt codes (keys of DOUBTS) of each application, in the order of DOUBTS."""
    since = clock.now() - _A_YEAR
    recent_card = Card.objects.filter(
        account=OuterRef("account"), kind=OuterRef("kind"), state__in=_HANDED_OUT, created_at__gte=since
    )
    moved = registry.Transfer.objects.filter(
        student=OuterRef("account__student"), state__in=["open", "closed"], asked_at__gte=since
    )
    same_person = registry.Student.objects.filter(
        phone_index=OuterRef("account__student__phone_index"),
        name=OuterRef("account__student__name"),
        sex=OuterRef("account__student__sex"),
        birth_year=OuterRef("account__student__birth_year"),
    ).exclude(id=OuterRef("account__student"))
    rows = list(
        Application.objects.filter(id__in=application_ids)
        .annotate(
            second_within_year=Exists(recent_card),
            transfer_other_district=Exists(moved),
            duplicate_person=Exists(same_person),
        )
        .values(
            "id",
            "second_within_year",
            "transfer_other_district",
            "duplicate_person",
            "photo__findings",
        )
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        holds = {code for code in DOUBTS if row.get(code)}
        holds |= {finding["code"] for finding in row["photo__findings"] or []}
        found[row["id"]] = [code for code in DOUBTS if code in holds]
    return found

"""How the registry's interface stands, for the page of the interfaces: its packages and whom they miss."""

from datetime import datetime

from django.db.models import Max, Sum

from xueka.contexts.registry.models import Absence, ImportRun
from xueka.platform.exchange.standing import REGISTRY, Standing


def standings(first: datetime) -> list[Standing]:
    """OneRoster, once a package has come. `received`: rows, `failed`: rows that were refused, `waiting`:
    students whose absence nobody has decided on; it is due by its own day, so that it is never late here.
    """
    runs = ImportRun.objects.filter(kind="oneroster", dry_run=False, reverted_at=None)
    last = runs.aggregate(last=Max("at"))["last"]
    if last is None:
        return []
    today = runs.filter(at__gte=first).aggregate(rows=Sum("rows"), rejected=Sum("rejected"))
    open_ones = Absence.objects.filter(state="missing").count()
    return [
        Standing(
            "oneroster",
            "学籍（OneRoster）",
            REGISTRY,
            answered_at=last,
            waiting=open_ones,
            received=today["rows"] or 0,
            failed=today["rejected"] or 0,
        )
    ]

"""How the registry's interface stands, for the page of the interfaces: its packages and whom they miss."""

from datetime import datetime

from django.db.models import Max, Sum

from xueka.contexts.registry.fetched import OneRosterFetch
from xueka.contexts.registry.models import Absence, ImportRun
from xueka.platform.exchange.standing import REGISTRY, Standing


def standings(first: datetime) -> list[Standing]:
    """OneRoster, once a package has come or lists were fetched. `received`: rows, `failed`: rows that were
    refused, `dead`: a fetch that waits for a person or was given up, `waiting`: students whose absence nobody
    has decided on; it is due by its own day, so that it is never late here.
    """
    runs = ImportRun.objects.filter(kind="oneroster", dry_run=False, reverted_at=None)
    last = runs.aggregate(last=Max("at"))["last"]
    fetch = OneRosterFetch.objects.defer("cursor", "counts").order_by("-id").first()
    if last is None and fetch is None:
        return []
    today = runs.filter(at__gte=first).aggregate(rows=Sum("rows"), rejected=Sum("rejected"))
    given_up = fetch is not None and fetch.ended_at is not None and fetch.run_id is None and fetch.problem
    retried = fetch is not None and fetch.ended_at is None and fetch.tries > 0
    return [
        Standing(
            "oneroster",
            "学籍（OneRoster）",
            REGISTRY,
            answered_at=last,
            problem=fetch.problem if fetch is not None and fetch.problem else "",
            waiting=Absence.objects.filter(state="missing").count(),
            failing=int(retried),
            dead=int(bool(given_up or (fetch is not None and fetch.waits))),
            received=today["rows"] or 0,
            failed=today["rejected"] or 0,
        )
    ]

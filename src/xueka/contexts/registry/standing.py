"""How the registry's interface stands, for the page of the interfaces: its packages and whom they miss."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Sum

from xueka.contexts.registry.fetched import OneRosterFetch
from xueka.contexts.registry.models import Absence, ImportRun
from xueka.kernel import clock
from xueka.platform.database.at_once import first as row
from xueka.platform.database.at_once import moment, whole
from xueka.platform.exchange.standing import REGISTRY, Standing, Telling


def standings(first: datetime) -> Telling:
    """OneRoster, once a package has come or lists were fetched. `received`: rows, `failed`: rows that were
    refused, `dead`: a fetch that waits for a person or was given up, `waiting`: students whose absence nobody
    has decided on; it is due by its own day, so that it is never late here.
    """
    runs = ImportRun.objects.filter(kind="oneroster", dry_run=False, reverted_at=None)
    kept = ("started_at", "ended_at", "fetched_at", "run_id", "next_at", "tries", "waits", "problem")
    found = yield {
        "last": whole(runs, at=Max("at")),
        "today": whole(runs.filter(at__gte=first), taken=Sum("rows"), refused=Sum("rejected")),
        "fetch": OneRosterFetch.objects.order_by("-id").values(*kept)[:1],
        "absent": whole(Absence.objects.filter(state="missing"), many=Count("id")),
    }
    last, fetch, today = moment(row(found["last"]).get("at")), row(found["fetch"]), row(found["today"])
    if last is None and not fetch:
        return []
    begun, over, problem = moment(fetch.get("started_at")), fetch.get("ended_at"), fetch.get("problem") or ""
    given_up = over and fetch["run_id"] is None and problem
    notes: list[tuple[str, datetime | str | None]] = []
    if begun:
        notes = [("最近获取", moment(fetch["fetched_at"]) or begun), ("下次获取", _next(fetch, begun))]
    return [
        Standing(
            "oneroster",
            "学籍（OneRoster）",
            REGISTRY,
            answered_at=last,
            problem=problem,
            waiting=row(found["absent"]).get("many", 0),
            failing=int(bool(fetch and not over and fetch["tries"])),
            dead=int(bool(given_up or fetch.get("waits"))),
            received=today.get("taken") or 0,
            failed=today.get("refused") or 0,
            notes=notes,
        )
    ]


def _next(fetch: dict[str, object], begun: datetime) -> datetime | str:
    """When the registry is asked next: the fetch under way, else the coming night."""
    if not fetch["ended_at"]:
        return "等人处理" if fetch["waits"] else moment(str(fetch["next_at"] or "")) or "正在获取"
    if settings.ONEROSTER_HOUR == "off":
        return "没有定时"
    now = clock.local(clock.now())
    due = now.replace(hour=int(settings.ONEROSTER_HOUR), minute=0, second=0, microsecond=0)
    return due if begun < due else due + timedelta(days=1)

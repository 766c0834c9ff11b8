"""Reading the interfaces: status for the command, differences for the queue, measures over time."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet

from xueka.contexts.interop.domain.transitions import GONE
from xueka.contexts.interop.models import MEASURES, Comparison, Difference, Quality
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.crypto.fields import unseal
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.counterparts import codes, counterparts
from xueka.platform.identity.actor import Actor

READ = "city:interop:read"


def status(actor: Actor) -> list[dict[str, Any]]:
    """Every counterpart that has a file, with its messages, its breaker and its latest measures."""
    actor.require(READ)
    names = {each.code: each.name for each in counterparts()}
    found = []
    for each in exchange.health(codes()):
        open_ones = Difference.objects.filter(counterpart=each.counterpart).exclude(state=GONE)
        found.append(
            {
                "code": each.counterpart,
                "name": names.get(each.counterpart, ""),
                "usable": each.counterpart in names,
                "breaker": each.breaker,
                "open_until": each.open_until,
                "problem": each.problem,
                "queued": each.queued,
                "delivered": each.delivered,
                "failed": each.failed,
                "dead": each.dead,
                "held": each.held,
                "oldest_seconds": each.oldest_seconds,
                "received": each.received,
                "waiting": each.waiting,
                "gaps": each.gaps,
                "incoming_dead": each.incoming_dead,
                "differences": open_ones.count(),
                "quality": latest_quality(each.counterpart),
            }
        )
    return found


def latest_quality(counterpart: str) -> dict[str, float | None]:
    """The newest share of each measure, 0 to 1; None where nothing was measured in the last week."""
    since = clock.today() - timedelta(days=7)
    rows = Quality.objects.filter(counterpart=counterpart, day__gte=since).order_by("day")
    newest = {each.measure: round(each.good / each.total, 6) for each in rows}
    return {measure: newest.get(measure) for measure in MEASURES}


def quality(actor: Actor, counterpart: str, first: date, last: date) -> QuerySet[Quality]:
    actor.require(READ)
    return Quality.objects.filter(counterpart=counterpart, day__range=(first, last)).order_by(
        "day", "measure"
    )


def comparisons(actor: Actor, counterpart: str = "") -> QuerySet[Comparison]:
    """Newest first."""
    actor.require(READ)
    rows = Comparison.objects.order_by("-id")
    return rows.filter(counterpart=counterpart) if counterpart else rows


def differences(actor: Actor, counterpart: str = "", states: Iterable[str] = ()) -> QuerySet[Difference]:
    """Oldest first; without states, those that are not gone."""
    actor.require(READ)
    rows = Difference.objects.defer("envelope").order_by("id")
    rows = rows.filter(state__in=list(states)) if states else rows.exclude(state=GONE)
    return rows.filter(counterpart=counterpart) if counterpart else rows


def difference(actor: Actor, difference_id: int) -> tuple[Difference, str, str]:
    """One with what we hold and what they hold. Raises NotFound."""
    actor.require(READ)
    found = Difference.objects.filter(id=difference_id).first()
    if found is None:
        raise NotFound("DIFFERENCE_NOT_FOUND", "没有这项差异。")
    pair = unseal(bytes(found.envelope))
    return found, pair["ours"], pair["theirs"]

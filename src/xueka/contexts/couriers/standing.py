"""How the couriers stand, for the page of the interfaces. What is wrong with a parcel is on its own page."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q

from xueka.contexts.couriers import calling
from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.models import Problem, Push, Shipment, TrackingEvent, Waybill
from xueka.kernel import clock
from xueka.platform.database.at_once import Answers, Question, moment, whole
from xueka.platform.database.at_once import first as row
from xueka.platform.exchange.standing import COURIER, Standing, Telling

IN_TIME = 900.0  # seconds that an order or a subscription may wait


def standings(first: datetime) -> Telling:
    """SF and kuaidi100, where there is an account. `sent`: orders and subscriptions, `received`: pushes,
    `failed`: pushes that were not believed, `dead`: what the courier did not take.
    """
    known = [
        each
        for each in ((rules.SF, _ask_sf, _sf), (rules.KUAIDI100, _ask_kuaidi100, _kuaidi100))
        if calling.has_account(each[0])
    ]
    answers = yield {
        f"{code}.{name}": each
        for code, ask, _ in known
        for name, each in {**ask(first), **_ask_pushes(code, first)}.items()
    }
    found = []
    for code, _, tell in known:
        mine = {
            name.removeprefix(f"{code}."): rows
            for name, rows in answers.items()
            if name.startswith(f"{code}.")
        }
        found.append(tell(mine))
    return found


def _ask_sf(first: datetime) -> dict[str, Question]:
    ours = Shipment.objects.filter(courier=rules.SF)
    return {
        "waiting": ours.filter(next_try_at__isnull=False)
        .order_by("id")
        .values("created_at", "tries", "last_error"),
        "moved": whole(ours, at=Max("status_at")),
        "dead": whole(
            Problem.objects.filter(closed_at=None, kind=rules.NOT_SENT, shipment__courier=rules.SF),
            many=Count("id"),
        ),
        "sent": whole(ours.filter(created_at__gte=first, waybills__position=1), many=Count("id")),
    }


def _sf(found: Answers) -> Standing:
    waiting = found["waiting"]
    return Standing(
        "courier-sf",
        rules.COURIERS[rules.SF],
        COURIER,
        answered_at=_latest(row(found["moved"]).get("at"), row(found["believed"]).get("at")),
        problem=next((each["last_error"] for each in waiting if each["last_error"]), ""),
        waiting=len(waiting),
        failing=sum(bool(each["tries"] and each["last_error"]) for each in waiting),
        oldest_seconds=_age(each["created_at"] for each in waiting),
        dead=row(found["dead"]).get("many", 0),
        sent=row(found["sent"]).get("many", 0),
        received=row(found["pushes"]).get("many", 0),
        failed=row(found["pushes"]).get("refused", 0),
        in_time=IN_TIME,
    )


def _ask_kuaidi100(first: datetime) -> dict[str, Question]:
    told = TrackingEvent.objects.filter(waybill__follows__in=[rules.ON, rules.OVER])
    return {
        "waiting": Waybill.objects.filter(follows=rules.WANTED)
        .order_by("id")
        .values("shipment__created_at", "subscriptions", "shipment__last_error"),
        "moved": whole(told, at=Max("heard_at")),
        "dead": whole(
            Waybill.objects.filter(follows=rules.STOPPED, shipment__ended_at=None), many=Count("id")
        ),
        "sent": whole(
            Waybill.objects.filter(shipment__created_at__gte=first, subscriptions__gt=0), many=Count("id")
        ),
    }


def _kuaidi100(found: Answers) -> Standing:
    waiting = found["waiting"]
    said = [each["shipment__last_error"] for each in waiting]
    return Standing(
        "courier-kuaidi100",
        "快递100",
        COURIER,
        answered_at=_latest(row(found["moved"]).get("at"), row(found["believed"]).get("at")),
        problem=next((each for each in said if each), ""),
        waiting=len(waiting),
        failing=sum(bool(each["subscriptions"] and each["shipment__last_error"]) for each in waiting),
        oldest_seconds=_age(each["shipment__created_at"] for each in waiting),
        dead=row(found["dead"]).get("many", 0),
        sent=row(found["sent"]).get("many", 0),
        received=row(found["pushes"]).get("many", 0),
        failed=row(found["pushes"]).get("refused", 0),
        in_time=IN_TIME,
    )


def _ask_pushes(courier: str, first: datetime) -> dict[str, Question]:
    """Received, not believed since `first`; when the last one was believed."""
    rows = Push.objects.filter(courier=courier)
    return {
        "believed": whole(rows.exclude(outcome__in=["", rules.REFUSED_PUSH]), at=Max("judged_at")),
        "pushes": whole(
            rows.filter(received_at__gte=first),
            many=Count("id"),
            refused=Count("id", filter=Q(outcome=rules.REFUSED_PUSH)),
        ),
    }


def _latest(*moments: Any) -> datetime | None:
    return max((at for each in moments if (at := moment(each))), default=None)


def _age(moments: Iterable[str]) -> int:
    oldest = min((at for each in moments if (at := moment(each))), default=None)
    return max(int((clock.now() - oldest).total_seconds()), 0) if oldest else 0

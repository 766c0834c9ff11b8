"""How the couriers stand, for the page of the interfaces. What is wrong with a parcel is on its own page."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Max

from xueka.contexts.couriers import calling
from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.models import Problem, Push, Shipment, TrackingEvent, Waybill
from xueka.kernel import clock
from xueka.platform.exchange.standing import COURIER, Standing

IN_TIME = 900.0  # seconds that an order or a subscription may wait


def standings(first: datetime) -> list[Standing]:
    """SF and kuaidi100, where there is an account. `sent`: orders and subscriptions, `received`: pushes,
    `failed`: pushes that were not believed, `dead`: what the courier did not take.
    """
    return [
        each
        for name, ask in ((rules.SF, _sf), (rules.KUAIDI100, _kuaidi100))
        if calling.has_account(name)
        for each in [ask(first)]
    ]


def _sf(first: datetime) -> Standing:
    ours = Shipment.objects.filter(courier=rules.SF)
    waiting = list(ours.filter(next_try_at__isnull=False).values_list("created_at", "tries", "last_error"))
    received, failed, pushed = _pushes(rules.SF, first)
    moved = ours.aggregate(last=Max("status_at"))["last"]
    return Standing(
        "courier-sf",
        rules.COURIERS[rules.SF],
        COURIER,
        answered_at=_latest(moved, pushed),
        problem=next((said for _, _, said in waiting if said), ""),
        waiting=len(waiting),
        failing=sum(bool(tries and said) for _, tries, said in waiting),
        oldest_seconds=_age(at for at, _, _ in waiting),
        dead=Problem.objects.filter(closed_at=None, kind=rules.NOT_SENT, shipment__courier=rules.SF).count(),
        sent=ours.filter(created_at__gte=first, waybills__position=1).count(),
        received=received,
        failed=failed,
        in_time=IN_TIME,
    )


def _kuaidi100(first: datetime) -> Standing:
    waiting = list(
        Waybill.objects.filter(follows=rules.WANTED).values_list(
            "shipment__created_at", "subscriptions", "shipment__last_error"
        )
    )
    received, failed, pushed = _pushes(rules.KUAIDI100, first)
    told = TrackingEvent.objects.filter(waybill__follows__in=[rules.ON, rules.OVER])
    return Standing(
        "courier-kuaidi100",
        "快递100",
        COURIER,
        answered_at=_latest(told.aggregate(last=Max("heard_at"))["last"], pushed),
        problem=next((said for _, _, said in waiting if said), ""),
        waiting=len(waiting),
        failing=sum(bool(tries and said) for _, tries, said in waiting),
        oldest_seconds=_age(at for at, _, _ in waiting),
        dead=Waybill.objects.filter(follows=rules.STOPPED, shipment__ended_at=None).count(),
        sent=Waybill.objects.filter(shipment__created_at__gte=first, subscriptions__gt=0).count(),
        received=received,
        failed=failed,
        in_time=IN_TIME,
    )


def _pushes(courier: str, first: datetime) -> tuple[int, int, datetime | None]:
    """Received, not believed since `first`; when the last one was believed."""
    rows = Push.objects.filter(courier=courier)
    believed = rows.exclude(outcome__in=["", rules.REFUSED_PUSH]).aggregate(last=Max("judged_at"))["last"]
    today = rows.filter(received_at__gte=first)
    return today.count(), today.filter(outcome=rules.REFUSED_PUSH).count(), believed


def _latest(*moments: datetime | None) -> datetime | None:
    return max((each for each in moments if each), default=None)


def _age(moments: Iterable[datetime]) -> int:
    oldest = min(moments, default=None)
    return max(int((clock.now() - oldest).total_seconds()), 0) if oldest else 0

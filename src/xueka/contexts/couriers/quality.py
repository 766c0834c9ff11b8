"""How good what the couriers tell of parcels is."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, Q

from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.models import Push, Shipment, TrackingEvent
from xueka.kernel import clock
from xueka.platform.exchange.quality import (
    ACCURATE,
    COMPLETE,
    TIMELY,
    VALID,
    Meaning,
    Share,
    Source,
    without,
)

KNOWN_WITHIN = timedelta(hours=2)  # after it happened


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    return {
        "courier-sf": _of_courier(rules.SF, Q(waybill__shipment__courier=rules.SF), first, last),
        "courier-kuaidi100": _of_courier(rules.KUAIDI100, Q(waybill__follows__in=rules.FOLLOWS), first, last),
    }


def _of_courier(courier: str, ours: Q, first: datetime, last: datetime) -> dict[str, Share]:
    now = clock.now()
    ripe = Q(confirmed_at__isnull=False) | Q(heard_at__lt=now - KNOWN_WITHIN)
    told = TrackingEvent.objects.filter(ours, heard_at__gte=first, heard_at__lt=last)
    # What happened before somebody typed the number could not be known.
    here = Q(at__gte=F("waybill__shipment__created_at"))
    found = told.aggregate(
        pushed=Count("id", filter=~Q(courier_id="") & ripe),
        borne_out=Count("id", filter=~Q(courier_id="") & Q(confirmed_at__isnull=False)),
        in_time=Count("id", filter=here & Q(confirmed_at__lte=F("at") + KNOWN_WITHIN)),
        ripe=Count("id", filter=here & ripe),
    )
    pushes = Push.objects.filter(courier=courier, received_at__gte=first, received_at__lt=last)
    judged = pushes.exclude(outcome="").aggregate(
        believed=Count("id", filter=~Q(outcome=rules.REFUSED_PUSH)), many=Count("id")
    )
    shares = {VALID: (judged["believed"], judged["many"]), TIMELY: (found["in_time"], found["ripe"])}
    if courier == rules.SF:
        shares[ACCURATE] = (found["borne_out"], found["pushed"])
    if last > now:  # parcels on their way are counted as they stand
        shares[COMPLETE] = _with_steps(courier, now)
    return shares


def _with_steps(courier: str, now: datetime) -> Share:
    """Parcels under way whose last step we know, of those that are old enough to have one."""
    silent_since = now - timedelta(hours=settings.COURIER_SILENCE)
    ours = Q(courier=rules.SF) if courier == rules.SF else Q(waybills__follows__in=rules.FOLLOWS)
    heard = Q(status_at__gt=silent_since)
    due = Q(status_at__isnull=False) | Q(state_at__lte=silent_since)
    found = Shipment.objects.filter(ours, state__in=t.FOLLOWED).aggregate(
        heard=Count("id", filter=heard, distinct=True), due=Count("id", filter=due, distinct=True)
    )
    return found["heard"], found["due"]


_MEANT = {
    COMPLETE: Meaning("路上的包裹里，规定时间（XUEKA_COURIER_SILENCE）内有轨迹的 ÷ 应当有的"),
    VALID: Meaning("当天的推送里，可信的 ÷ 判过的"),
    TIMELY: Meaning("发生后 2 小时内证实的轨迹 ÷ 当天听到的轨迹（证实的和满 2 小时没有证实的）"),
}
QUALITY = Source(
    {
        "courier-sf": _MEANT
        | {ACCURATE: Meaning("推送的轨迹里，查询答复也这样说的 ÷ 当天推送的（证实的和满 2 小时没有证实的）")},
        "courier-kuaidi100": _MEANT | {ACCURATE: without("快递100 只推送，不能查询，没有可以比对的答复")},
    },
    _measured,
)

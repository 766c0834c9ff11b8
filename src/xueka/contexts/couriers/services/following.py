"""What couriers say of parcels: kept once, and what follows from it for the cards and the families."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.models import Problem, Push, Shipment, TrackingEvent, Waybill
from xueka.contexts.couriers.services.common import (
    WORKER,
    change,
    close_problems,
    locked,
    move,
    open_problem,
)
from xueka.contexts.couriers.services.ordering import send_off
from xueka.contexts.replacements import api as replacements
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.crypto.fields import unseal
from xueka.platform.files import services as files

_UNANSWERED = "查不到轨迹"
_YEARS = range(2000, 2100)
_EVENTS = {s.DELIVERED: "deliver", s.BACK: "give_back", s.OFF: "cancelled"}


def hear(entries: Iterable[s.Heard], *, confirmed: bool) -> tuple[int, int, list[int]]:
    """Keep what is new; the caller holds no lock. Returns how many entries were new, how many concerned a
    waybill of ours at all, and the shipments that they are about.
    """
    new = known = 0
    touched: dict[int, None] = {}
    for entry in entries:
        meant = waybills_meant(entry.waybill, entry.at)
        known += bool(meant)
        if entry.at.year not in _YEARS:  # nobody could read it again
            continue
        for waybill in meant:
            new += _keep(waybill, entry, confirmed)
            touched[waybill.shipment_id] = None
    return new, known, sorted(touched)


def waybills_meant(number: str, at: datetime | None = None) -> list[Waybill]:
    """Those under way with this number: two children's cards may lie in one parcel. Else the newest.

    What happened long before a shipment was made is not about it: a number comes again, given by the courier
    or typed once more.
    """
    rows = list(Waybill.objects.filter(number=number[:40]).select_related("shipment").order_by("-id"))
    if at is not None:
        rows = [each for each in rows if at >= each.shipment.created_at - rules.TYPED_LATE]
    return [each for each in rows if each.shipment.ended_at is None] or rows[:1]


def _keep(waybill: Waybill, entry: s.Heard, confirmed: bool) -> bool:
    key = f"{entry.at:%Y%m%d%H%M%S%z}/{entry.code[:16]}/{entry.status}"
    place, remark = entry.place[:100], _nobodys(entry.remark, waybill.shipment)[:300]
    now = clock.now()
    same = Q(key=key) | (Q(courier_id=entry.id[:64]) if entry.id else Q(pk__in=[]))
    found = TrackingEvent.objects.select_for_update().filter(same, waybill=waybill).first()
    if found:
        if confirmed and found.confirmed_at is None and found.key == key:
            # In the words of the answer: who pushed may have put in others.
            TrackingEvent.objects.filter(id=found.id).update(confirmed_at=now, place=place, remark=remark)
            return True
        return False
    row = TrackingEvent(
        waybill=waybill,
        key=key,
        courier_id=entry.id[:64],
        status=entry.status,
        at=entry.at,
        code=entry.code[:16],
        place=place,
        remark=remark,
        heard_at=now,
        confirmed_at=now if confirmed else None,
    )
    TrackingEvent.objects.bulk_create([row], ignore_conflicts=True)
    return True


def _nobodys(remark: str, shipment: Shipment) -> str:
    """Whoever looks after parcels reads a courier's words, and the family why one came back."""
    receiver = unseal(bytes(shipment.address)).get("name", "") if shipment.address else ""
    return rules.nobodys(remark, receiver)


def settle(shipment_id: int) -> str:
    """Bring a shipment to where its confirmed entries say that it is. Returns its state."""
    shipment = locked(WORKER, shipment_id)
    told: dict[int, list[TrackingEvent]] = {each.id: [] for each in shipment.waybills.all()}
    rows = TrackingEvent.objects.filter(waybill__shipment=shipment, confirmed_at__isnull=False)
    for row in rows.order_by("at", "id"):
        told[row.waybill_id].append(row)
    last = max((row for rows_ in told.values() for row in rows_), key=lambda row: row.at, default=None)
    if last is None:
        return shipment.state
    if shipment.unsent:
        _send_off(shipment)
    meant = [row for rows_ in told.values() for row in rows_ if row.status != s.NOTED]
    newest = max(meant, key=lambda row: row.at, default=last)
    failed = sum(row.status == s.ATTEMPT_FAILED for row in meant)
    change(shipment, status=newest.status, status_at=newest.at, failed_attempts=failed)
    close_problems(shipment, WORKER.username, "轨迹有更新", (rules.STUCK,)) if _fresh(newest.at) else None
    place = s.place_of_all([s.place_of((row.at, row.status) for row in rows_) for rows_ in told.values()])
    _go(shipment, place, newest)
    return shipment.state


def _go(shipment: Shipment, place: str, newest: TrackingEvent) -> None:
    if shipment.state not in t.FOLLOWED or place in (shipment.state, s.AT_SENDER):
        return
    if shipment.handed_over_at and place == s.OFF:
        return
    if shipment.intercept == "taken" and place not in (s.GOING_BACK, s.BACK, s.DELIVERED):
        return  # found again and called back; its way from before tells nothing
    event = _EVENTS.get(place, "track")
    if not t.SHIPMENT.targets(event, shipment.state):
        return
    if shipment.intercept == "taken" and place == s.DELIVERED:
        place, event = s.BACK, "give_back"
    if shipment.handed_over_at is None and place != s.OFF:
        _picked_up(shipment, newest.at)
    if place == s.DELIVERED:
        change(shipment, delivered_at=newest.at)
    to = place if event == "track" else None
    move(shipment, event, to=to, detail={"status": newest.status, "place": newest.place}, at=newest.at)
    _follow_up(shipment, newest)


def _picked_up(shipment: Shipment, at: datetime) -> None:
    change(shipment, handed_over_at=at)
    _send_off(shipment)


def _send_off(shipment: Shipment) -> None:
    """Tried again with each news: the courier has it, whatever keeps us from writing it down."""
    try:
        with transaction.atomic():
            send_off(shipment, WORKER)
    except XuekaError as error:
        change(shipment, unsent=True)
        open_problem(shipment, rules.STUCK, f"承运商已揽收，但没能登记寄出：{error.message}")
    else:
        change(shipment, unsent=False)


def _follow_up(shipment: Shipment, newest: TrackingEvent) -> None:
    """What the family and the queue get to know."""
    if shipment.state == s.DELIVERED:
        close_problems(shipment, WORKER.username, "已签收")
        _deliver(shipment, newest)
    elif shipment.state == s.OUT:
        close_problems(shipment, WORKER.username, "再次派送", (rules.REFUSED,))
    elif shipment.state == s.GOING_BACK:
        kind = rules.REFUSED if newest.status == s.REFUSED else rules.RETURNED
        open_problem(shipment, kind, newest.remark)
    elif shipment.state == s.BACK:
        late = (rules.LATE, rules.STUCK, rules.REFUSED)
        close_problems(shipment, WORKER.username, "已退回", late)
        open_problem(shipment, rules.RETURNED, newest.remark)
        _bounce(shipment, newest)
    elif shipment.state == t.CANCELLED:
        close_problems(shipment, WORKER.username, "已取消")


def _deliver(shipment: Shipment, newest: TrackingEvent) -> None:
    found = shipment.replacement
    if found is None:
        return
    found.refresh_from_db()
    if found.state != "on_the_way":
        return
    signed_by = "picked_up" if newest.status == s.OUT_OF_LOCKER else "family"
    posted, today = clock.local(found.state_at).date(), clock.today()
    signed_on = min(max(clock.local(newest.at).date(), posted), today)
    replacements.deliver(WORKER, found.id, signed_on, signed_by)


def _bounce(shipment: Shipment, newest: TrackingEvent) -> None:
    found = shipment.replacement
    if found is None or shipment.intercept == "taken":
        return
    found.refresh_from_db()
    if found.state == "on_the_way":
        replacements.bounce(WORKER, found.id, newest.remark or "承运商退回")
        close_problems(shipment, WORKER.username, "回到柜台待邮寄")


def watch() -> int:
    """Open what is late and what is stuck. Returns how many problems are new."""
    now, today = clock.now(), clock.today()
    rows = Shipment.objects.filter(state__in=t.FOLLOWED)
    late = rows.filter(expected_on__lt=today).exclude(problems__kind=rules.LATE, problems__closed_at=None)
    since = now - _silence()
    silent = Q(status_at__lte=since) | Q(status_at=None, state_at__lte=since)
    stuck = rows.filter(silent).exclude(problems__kind=rules.STUCK, problems__closed_at=None)
    stuck = stuck.exclude(state=s.LOCKER)
    limit = now - timedelta(hours=settings.COURIER_UNANSWERED)
    mute = rows.filter(unanswered_since__lte=limit)
    mute = mute.exclude(problems__kind=rules.STUCK, problems__closed_at=None)
    new = 0
    for kind, found in ((rules.LATE, late), (rules.STUCK, mute), (rules.STUCK, stuck)):
        for shipment in found.order_by("id")[:500]:
            why = f"{_UNANSWERED}：{shipment.last_error}" if found is mute else ""
            new += open_problem(shipment, kind, why)
    return new


def unanswered(shipment_ids: Iterable[int], why: str) -> None:
    """The courier did not tell where these are, or what it told could not be worked in."""
    rows = Shipment.objects.filter(id__in=list(shipment_ids))
    rows.update(last_error=why[:200])
    rows.filter(unanswered_since=None).update(unanswered_since=clock.now())


def answered(shipment_id: int) -> None:
    rows = Shipment.objects.filter(id=shipment_id, unanswered_since__isnull=False)
    if rows.update(unanswered_since=None, last_error=""):
        open_ones = Problem.objects.filter(shipment=shipment_id, kind=rules.STUCK, closed_at=None)
        open_ones.filter(said__startswith=_UNANSWERED).update(
            closed_at=clock.now(), closed_by=WORKER.username, note="又查到了"
        )


def forget() -> int:
    """Addresses, the labels that show them, and pushes of what ended long ago."""
    before = clock.now() - rules.FORGET_AFTER
    ended = Shipment.objects.filter(ended_at__lte=before)
    kept = [each.label for each in ended.exclude(label=None).select_related("label") if each.label]
    ended.exclude(label=None).update(label=None)
    for label in kept:
        files.remove(label)
    old = ended.exclude(address=b"").update(address=b"")
    return old + Push.objects.filter(judged_at__lte=before).exclude(raw=b"").update(raw=b"")


def _fresh(at: datetime) -> bool:
    return clock.now() - at < _silence()


def _silence() -> timedelta:
    """A parcel of which nothing is heard for so long is stuck."""
    return timedelta(hours=settings.COURIER_SILENCE)

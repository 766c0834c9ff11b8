"""What the services share: fetching under a scope and a lock, custody, problems, pauses between tries."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max

from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.domain.transitions import SHIPMENT
from xueka.contexts.couriers.models import ENDED, Custody, Problem, Shipment
from xueka.contexts.logistics import api as logistics
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

#: Who does what follows from what couriers say.
WORKER = Actor.system("couriers")

#: Locks are taken in one order everywhere: shipment, replacement or delivery, box, card.


def locked(actor: Actor, shipment_id: int) -> Shipment:
    """The shipment, locked; NotFound `SHIPMENT_NOT_FOUND` where it is not there for this actor."""
    visible = Shipment.objects.visible_to(actor.scope).select_related("school__district", "replacement")
    found = visible.select_for_update(of=("self",)).filter(id=shipment_id).first()
    if found is None:
        raise NotFound("SHIPMENT_NOT_FOUND", "没有这个运件。")
    return found


def change(shipment: Shipment, **values: object) -> None:
    """Write columns beside the state."""
    for name, value in values.items():
        setattr(shipment, name, value)
    shipment.save(update_fields=list(values))


def move(
    shipment: Shipment,
    event: str,
    actor: Actor = WORKER,
    *,
    to: str | None = None,
    reason: str = "",
    detail: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> None:
    """A step by the table; who holds the cards is written down with it, at the courier's time."""
    apply(SHIPMENT, Shipment, [shipment.id], event, actor, to=to, reason=reason, detail=detail)
    shipment.refresh_from_db()
    hold(shipment, at or clock.now(), actor)
    if shipment.state in ENDED:
        change(shipment, ended_at=clock.now(), next_ask_at=None, next_try_at=None)


def hold(shipment: Shipment, at: datetime, actor: Actor = WORKER) -> None:
    """The next row of custody, where the holder is another one."""
    holder = rules.holder_in(shipment.state)
    last = shipment.custody.order_by("-seq").first()
    if holder and (last is None or last.holder != holder):
        seq = (shipment.custody.aggregate(last=Max("seq"))["last"] or 0) + 1
        Custody.objects.create(
            shipment=shipment,
            seq=seq,
            holder=holder,
            at=max(at, last.at) if last else at,
            by=actor.username,
        )


def open_problem(shipment: Shipment, kind: str, said: str = "") -> bool:
    """Put it into the queue; False where it lies there already."""
    values = {"opened_at": clock.now(), "said": said[:200]}
    return Problem.objects.get_or_create(shipment=shipment, kind=kind, closed_at=None, defaults=values)[1]


def close_problems(shipment: Shipment, by: str, note: str = "", kinds: tuple[str, ...] = ()) -> int:
    """Take them out of the queue, all or those of some kinds."""
    rows = Problem.objects.filter(shipment=shipment, closed_at=None)
    rows = rows.filter(kind__in=kinds) if kinds else rows
    return rows.update(closed_at=clock.now(), closed_by=by, note=note[:200])


def sender(shipment: Shipment) -> rules.Address:
    """Who sends, as waybills and labels say, and where the courier fetches it: what goes home lies at the
    counter of the child's district. The boxes of schools, and where the counter's place is not known, are
    the city's (`settings.COURIER_SENDER`: name, phone, address).
    """
    place = logistics.place(shipment.school.district_id) if shipment.kind == rules.HOME else None
    if place:
        return rules.Address(place.consignee, place.phone, place.address)
    name, phone, address = settings.COURIER_SENDER
    return rules.Address(name, phone, address)


def pause_after(tries: int) -> timedelta:
    """2 s, 4 s, 8 s … at most ten minutes."""
    return timedelta(seconds=min(2 ** min(tries, 10), 600))

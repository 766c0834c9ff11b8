"""Shipments whose end is known from elsewhere."""

from django.db.models import Q

from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.models import Shipment
from xueka.contexts.couriers.services.common import WORKER, change, close_problems, locked, move
from xueka.kernel import clock


def overtaken() -> list[int]:
    """Shipments whose card or boxes went on without the courier's word: received, back, made again."""
    rows = Shipment.objects.filter(state__in=t.FOLLOWED, handed_over_at__isnull=False, unsent=False)
    gone = Q(replacement__isnull=False) & ~Q(replacement__state="on_the_way")
    gone |= Q(delivery__state__in=["received", "lost"])
    return list(rows.filter(gone).exclude(intercept="taken").values_list("id", flat=True)[:200])


def catch_up(shipment_id: int) -> None:
    """End a shipment whose end is known from elsewhere: the family's or the school's word, the counter's.

    What was called back has its own way: its cards are made again and travel elsewhere.
    """
    shipment = locked(WORKER, shipment_id)
    gone = shipment.handed_over_at is not None and not shipment.unsent
    if shipment.state not in t.FOLLOWED or not gone or shipment.intercept == "taken":
        return
    event, at = "", clock.now()
    delivery, found = shipment.delivery, shipment.replacement
    if delivery:
        event = "deliver" if delivery.state == "received" else "lose"
        at = delivery.received_at or at
    elif found:
        at = found.delivered_at or at
        event = {"handed_out": "deliver", "to_post": "give_back", "making": "lose"}.get(found.state, "")
    if event == "deliver":
        change(shipment, delivered_at=at)
    if event:
        move(shipment, event, at=at)
        close_problems(shipment, WORKER.username, "已在别处登记")

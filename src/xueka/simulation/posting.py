"""Boxes of cards on their way to schools: ordered at SF, and followed by what SF says.

Where no courier is beside the city, somebody gives them to one and types the number.
"""

from collections.abc import Sequence

from xueka.contexts.couriers import api as couriers
from xueka.contexts.logistics import api as logistics
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.scope import EVERYWHERE
from xueka.simulation import staff
from xueka.simulation.world import World, go_on

_DAYS = 10


def send(world: World, deliveries: Sequence[logistics.Delivery]) -> None:
    """Until every one has arrived, or is known to be lost."""
    for delivery in deliveries:
        with world.work(minutes=5):
            if world.rest is go_on:
                _by_hand(delivery)
            else:
                couriers.ask_school(staff.operator("a"), delivery.number)
                world.count("parcels")
    if world.rest is go_on:
        return
    ids = [delivery.id for delivery in deliveries]
    for _ in range(_DAYS):
        world.rest()
        _look_after(world)
        if not couriers.rows(EVERYWHERE).filter(delivery__in=ids, state__in=couriers.OPEN).exists():
            return
    raise XuekaError("PARCEL_NEVER_ENDS", "有寄往学校的运件始终没有结果。")


def _look_after(world: World) -> None:
    """What waits for a person: who is not served is served by hand; of what nothing is heard is lost."""
    city = staff.operator("a")
    for problem in couriers.problems(EVERYWHERE).order_by("shipment__number", "kind"):
        shipment = problem.shipment
        with world.work(minutes=10):
            if problem.kind == "stuck" and shipment.handed_over_at:
                couriers.lose(city, shipment.id, "承运商确认遗失")
                world.count("lost_parcels")
                continue
            couriers.close(city, problem.id, "已与承运商核实")
            if problem.kind == "not_sent" and shipment.delivery:
                _by_hand(shipment.delivery)


def _by_hand(delivery: logistics.Delivery) -> None:
    city = staff.operator("a")
    logistics.dispatch(city, delivery.id, carrier="顺丰速运", waybill=f"SF{delivery.number[2:]}")

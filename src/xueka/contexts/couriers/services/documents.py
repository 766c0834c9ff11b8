"""The papers of a shipment. The packing list of boxes is that of their delivery (logistics)."""

from xueka.contexts.couriers.adapters import label
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.domain.rules import Address
from xueka.contexts.couriers.services.common import locked, sender
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.actor import Actor


def labels(actor: Actor, shipment_id: int) -> bytes:
    """One page a waybill, as a PDF; it shows the address, so that making it is audited.

    Needs `district:parcel:send`. Raises NotFound; Refused `NO_WAYBILL`, `ADDRESS_FORGOTTEN`.
    """
    actor.require(t.SEND)
    shipment = locked(actor, shipment_id)
    if not shipment.waybills.exists():
        raise Refused("NO_WAYBILL", "还没有运单，不能打印面单。", action="请稍等承运商给出运单号。")
    if not shipment.address:
        raise Refused("ADDRESS_FORGOTTEN", "运件结束已久，地址已经清除。")
    record(actor, "shipment.label", "shipment", shipment.number)
    return label.pdf(shipment, sender(), Address(**unseal(bytes(shipment.address))))

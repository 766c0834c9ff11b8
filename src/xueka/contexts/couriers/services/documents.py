"""The papers of a shipment. The packing list of boxes is that of their delivery (logistics)."""

from xueka.contexts.couriers.adapters import label
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.domain.rules import Address
from xueka.contexts.couriers.models import Shipment
from xueka.contexts.couriers.ports import Piece
from xueka.contexts.couriers.services.common import WORKER, change, locked, sender
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import unseal
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor


def take_label(actor: Actor, shipment_id: int) -> tuple[Shipment, bytes]:
    """A shipment whose label is to be printed, and the courier's where it has been fetched before.

    A label shows the address, so that taking one is audited. Needs `district:parcel:send`. Raises NotFound;
    Refused `NO_WAYBILL`, `ADDRESS_FORGOTTEN`.
    """
    actor.require(t.SEND)
    shipment = locked(actor, shipment_id)
    if not shipment.waybills.exists():
        raise Refused("NO_WAYBILL", "还没有运单，不能打印面单。", action="请稍等承运商给出运单号。")
    if not shipment.address:
        raise Refused("ADDRESS_FORGOTTEN", "运件结束已久，地址已经清除。")
    record(actor, "shipment.label", "shipment", shipment.number)
    return shipment, files.read(shipment.label) if shipment.label else b""


def pieces(shipment: Shipment) -> list[Piece]:
    """The parcels of a shipment, the mother first, as the courier's label names them."""
    rows = shipment.waybills.select_related("box").order_by("position")
    return [Piece(each.number, f"箱号 {each.box.number}" if each.box else "") for each in rows]


def own_label(shipment: Shipment) -> bytes:
    """Ours, a page a waybill; it says so where the courier was to make one and did not."""
    return label.pdf(shipment, sender(shipment), Address(**unseal(bytes(shipment.address))))


def keep_label(shipment_id: int, content: bytes, why: str) -> Shipment:
    """What the courier made: it is asked for once, and printed again as it is. Else why it made none."""
    shipment = locked(WORKER, shipment_id)
    if content and shipment.label is None and shipment.address:
        name = f"{shipment.number}.pdf"
        kept = files.store(WORKER, name, "application/pdf", content, personal=True)
        change(shipment, label=kept)
    if shipment.label_said != why[:200]:
        change(shipment, label_said=why[:200])
    return shipment

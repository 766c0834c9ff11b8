"""The labels of a shipment: one page a waybill, 100 × 150 mm, and who gets it where."""

import json
from pathlib import Path

import typst
from django.conf import settings

from xueka.contexts.couriers.domain.rules import Address
from xueka.contexts.couriers.models import Shipment
from xueka.platform.barcodes import code128

_TEMPLATE = Path(__file__).with_name("label.typ")


def pdf(shipment: Shipment, sender: Address, receiver: Address) -> bytes:
    """It names the receiver, not a child and not what is in it; a box's number stands beside its waybill."""
    waybills = list(shipment.waybills.select_related("box").order_by("position"))
    data = {
        "title": shipment.number,
        "instead": shipment.label_said and f"{shipment.carrier}没有给出面单，此为本系统面单",
        "carrier": shipment.carrier,
        "route": shipment.route_label,
        "sender": {"name": sender.name, "phone": sender.phone, "address": sender.address},
        "receiver": {"name": receiver.name, "phone": receiver.phone, "address": receiver.address},
        "hours": shipment.delivery.receiving_hours if shipment.delivery else "",
        "pieces": [
            {
                "waybill": each.number,
                "mother": waybills[0].number if each.position > 1 else "",
                "place": f"{each.position}/{len(waybills)}",
                "box": each.box.number if each.box else "",
                "barcode": code128(each.number),
            }
            for each in waybills
        ],
    }
    fonts = Path(settings.NODE_MODULES).joinpath("@expo-google-fonts", "noto-sans-sc")
    return typst.compile(
        str(_TEMPLATE),
        font_paths=[str(fonts)] if fonts.is_dir() else [],
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )

"""The papers that travel with a delivery."""

from xueka.contexts.logistics.adapters import packing_list
from xueka.contexts.logistics.queries import delivery as find
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor


def packing_list_pdf(actor: Actor, delivery_number: str) -> bytes:
    """One A4 sheet a box. It names children, so that making it is audited."""
    return _made(actor, delivery_number, "pdf")


def packing_list_xlsx(actor: Actor, delivery_number: str) -> bytes:
    """The same as a workbook, with the total in its last line."""
    return _made(actor, delivery_number, "xlsx")


def _made(actor: Actor, delivery_number: str, form: str) -> bytes:
    actor.require("school:delivery:read")
    delivery = find(actor.scope, delivery_number)
    content = packing_list.pdf(delivery) if form == "pdf" else packing_list.xlsx(delivery)
    record(actor, "delivery.packing_list", "delivery", delivery.number, detail={"form": form})
    return content

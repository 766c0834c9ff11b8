"""Delivery: boxes, packing lists, receipt by scanning, hand-out. The only door into this context."""

from xueka.contexts.logistics.domain.transitions import BOX, DELIVERY
from xueka.contexts.logistics.invariants import INVARIANTS
from xueka.contexts.logistics.models import Box, BoxCard, Delivery, Discrepancy, DistrictPlace, Scan
from xueka.contexts.logistics.queries import (
    Counts,
    box,
    boxes,
    boxes_of,
    contents,
    counts,
    deliveries,
    delivery,
    delivery_rows,
    discrepancies,
    discrepancies_of,
    find_deliveries,
    open_discrepancies,
    place_of,
)
from xueka.contexts.logistics.services.documents import packing_list_pdf, packing_list_xlsx
from xueka.contexts.logistics.services.packing import cancel_delivery, dispatch, prepare_deliveries
from xueka.contexts.logistics.services.places import KEEP, district, keep_place, place, places
from xueka.contexts.logistics.services.receiving import (
    RESOLUTIONS,
    Receipt,
    compare,
    hand_out,
    preview_hand_out,
    receive_box,
    report_lost_box,
    resolve_discrepancy,
)
from xueka.contexts.logistics.services.scanning import compare_scans, scan, scans, sign, unscan

__all__ = [
    "BOX",
    "DELIVERY",
    "INVARIANTS",
    "KEEP",
    "RESOLUTIONS",
    "Box",
    "BoxCard",
    "Counts",
    "Delivery",
    "Discrepancy",
    "DistrictPlace",
    "Receipt",
    "Scan",
    "box",
    "boxes",
    "boxes_of",
    "cancel_delivery",
    "compare",
    "compare_scans",
    "contents",
    "counts",
    "deliveries",
    "delivery",
    "delivery_rows",
    "discrepancies",
    "discrepancies_of",
    "dispatch",
    "district",
    "find_deliveries",
    "hand_out",
    "keep_place",
    "open_discrepancies",
    "packing_list_pdf",
    "packing_list_xlsx",
    "place",
    "place_of",
    "places",
    "prepare_deliveries",
    "preview_hand_out",
    "receive_box",
    "report_lost_box",
    "resolve_discrepancy",
    "scan",
    "scans",
    "sign",
    "unscan",
]

"""Fiscal e-receipts: issued when money has come, taken back when it goes back (docs/adr/0210). The only door
into this context.
"""

from xueka.contexts.receipts.calling import draw_stock
from xueka.contexts.receipts.domain.transitions import DUE, ISSUED, KEPT, LACKING, NUMBERED, RECEIPT, WAITING
from xueka.contexts.receipts.invariants import INVARIANTS
from xueka.contexts.receipts.jobs import sweep
from xueka.contexts.receipts.models import Draw, Receipt, Seal
from xueka.contexts.receipts.ports import OfficeRefused, OfficeUnavailable
from xueka.contexts.receipts.queries import (
    Lacking,
    Stock,
    drawn,
    draws,
    issued,
    lacking,
    receipt,
    receipts_of,
    rows,
    state_label,
    stock,
    waiting,
    why_waiting,
)
from xueka.contexts.receipts.services.common import MANAGE
from xueka.contexts.receipts.services.giving import PDF, XML, File, download, verify
from xueka.contexts.receipts.services.issuing import retry
from xueka.contexts.receipts.services.verifying import Verified

__all__ = [
    "DUE",
    "INVARIANTS",
    "ISSUED",
    "KEPT",
    "LACKING",
    "MANAGE",
    "NUMBERED",
    "PDF",
    "RECEIPT",
    "WAITING",
    "XML",
    "Draw",
    "File",
    "Lacking",
    "OfficeRefused",
    "OfficeUnavailable",
    "Receipt",
    "Seal",
    "Stock",
    "Verified",
    "download",
    "draw_stock",
    "drawn",
    "draws",
    "issued",
    "lacking",
    "receipt",
    "receipts_of",
    "retry",
    "rows",
    "state_label",
    "stock",
    "sweep",
    "verify",
    "waiting",
    "why_waiting",
]

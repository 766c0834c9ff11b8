"""The weekly close: what a week comes to, signed by two people, chained, remitted to the treasury
(docs/adr/0200-weekly-close.md). The only door into this context.
"""

from xueka.contexts.closing.adapters.signing import public_key
from xueka.contexts.closing.domain.figures import Block, ChannelFigure, PaymentFigure, Proposal, Receipts
from xueka.contexts.closing.domain.transitions import CLOSE
from xueka.contexts.closing.domain.weeks import due, monday_of, name_of, sunday_of
from xueka.contexts.closing.invariants import INVARIANTS
from xueka.contexts.closing.jobs import sweep
from xueka.contexts.closing.models import BackPayment, Close, Part, ReceiptCollection, Remittance
from xueka.contexts.closing.queries import (
    WEEK_STATES,
    BackPaymentRow,
    OpenWeeks,
    Week,
    back_payment,
    back_payment_by,
    back_payment_rows,
    back_payments,
    close,
    close_by,
    closes,
    document,
    is_closed,
    open_weeks,
    weeks,
)
from xueka.contexts.closing.services.chain import ChainCheck, check_chain
from xueka.contexts.closing.services.closing import drop, prepare, record_remittance, sign
from xueka.contexts.closing.services.collecting import collect_receipts
from xueka.contexts.closing.services.paying_back import end_back_payment, register_back_payments
from xueka.contexts.closing.services.proposing import proposal

__all__ = [
    "CLOSE",
    "INVARIANTS",
    "WEEK_STATES",
    "BackPayment",
    "BackPaymentRow",
    "Block",
    "ChainCheck",
    "ChannelFigure",
    "Close",
    "OpenWeeks",
    "Part",
    "PaymentFigure",
    "Proposal",
    "ReceiptCollection",
    "Receipts",
    "Remittance",
    "Week",
    "back_payment",
    "back_payment_by",
    "back_payment_rows",
    "back_payments",
    "check_chain",
    "close",
    "close_by",
    "closes",
    "collect_receipts",
    "document",
    "drop",
    "due",
    "end_back_payment",
    "is_closed",
    "monday_of",
    "name_of",
    "open_weeks",
    "prepare",
    "proposal",
    "public_key",
    "record_remittance",
    "register_back_payments",
    "sign",
    "sunday_of",
    "sweep",
    "weeks",
]

"""Money on its way to the treasury: statements of the channels, confirmations, reconciliation, the close."""

from xueka.contexts.treasury.domain.formats.lines import OTHER, PAYMENT, REFUND, Checked, Line
from xueka.contexts.treasury.services.checking import KINDS, check

__all__ = ["KINDS", "OTHER", "PAYMENT", "REFUND", "Checked", "Line", "check"]

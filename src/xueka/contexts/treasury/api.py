"""Money on its way to the treasury: statements of the channels, confirmations, reconciliation, breaks."""

from xueka.contexts.treasury.domain.breaks import KINDS as BREAK_KINDS
from xueka.contexts.treasury.domain.breaks import Break
from xueka.contexts.treasury.domain.formats.lines import OTHER, PAYMENT, REFUND, Checked, Line
from xueka.contexts.treasury.domain.transitions import BREAK
from xueka.contexts.treasury.invariants import INVARIANTS
from xueka.contexts.treasury.jobs import sweep
from xueka.contexts.treasury.looking import (
    ChannelSides,
    Step,
    Story,
    break_row,
    sides,
    story_of_break,
    story_of_order,
    takings,
    waterfall,
)
from xueka.contexts.treasury.models import BreakRow, Confirmation, Fetch, Run, Statement
from xueka.contexts.treasury.queries import (
    Lacking,
    Unposted,
    breaks,
    confirmations,
    lacking_statements,
    open_breaks,
    runs,
    statements,
    unposted,
    unposted_count,
)
from xueka.contexts.treasury.services.checking import KINDS, check
from xueka.contexts.treasury.services.fetching import hear_confirmation
from xueka.contexts.treasury.services.posting import post_all, post_now, take_fees
from xueka.contexts.treasury.services.reconciling import Result, assign, explain, reconcile, sign_off
from xueka.contexts.treasury.services.taking import FORMS, take_confirmation, take_statement

__all__ = [
    "BREAK",
    "BREAK_KINDS",
    "FORMS",
    "INVARIANTS",
    "KINDS",
    "OTHER",
    "PAYMENT",
    "REFUND",
    "Break",
    "BreakRow",
    "ChannelSides",
    "Checked",
    "Confirmation",
    "Fetch",
    "Lacking",
    "Line",
    "Result",
    "Run",
    "Statement",
    "Step",
    "Story",
    "Unposted",
    "assign",
    "break_row",
    "breaks",
    "check",
    "confirmations",
    "explain",
    "hear_confirmation",
    "lacking_statements",
    "open_breaks",
    "post_all",
    "post_now",
    "reconcile",
    "runs",
    "sides",
    "sign_off",
    "statements",
    "story_of_break",
    "story_of_order",
    "sweep",
    "take_confirmation",
    "take_fees",
    "take_statement",
    "takings",
    "unposted",
    "unposted_count",
    "waterfall",
]

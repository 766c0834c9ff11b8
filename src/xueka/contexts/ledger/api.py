"""The books of the programme's money: double entry, append-only (docs/ledger.md). The only door into this
context.
"""

from xueka.contexts.ledger.domain.chart import (
    ACCOUNTS,
    BANK,
    BREAKS,
    CHANNELS,
    FEES,
    FINES,
    INCOME,
    PAYERS,
    REFUNDS,
    TREASURY,
    Account,
    clearing,
)
from xueka.contexts.ledger.domain.entries import Posting
from xueka.contexts.ledger.invariants import INVARIANTS
from xueka.contexts.ledger.models import Closing, Entry
from xueka.contexts.ledger.queries import (
    BookCheck,
    balances,
    balances_of,
    check_books,
    closed_until,
    entries_of,
    entry_rows,
    is_posted,
    legs_of,
    sums_under,
    turnover,
)
from xueka.contexts.ledger.services.posting import close_period, open_day, post

__all__ = [
    "ACCOUNTS",
    "BANK",
    "BREAKS",
    "CHANNELS",
    "FEES",
    "FINES",
    "INCOME",
    "INVARIANTS",
    "PAYERS",
    "REFUNDS",
    "TREASURY",
    "Account",
    "BookCheck",
    "Closing",
    "Entry",
    "Posting",
    "balances",
    "balances_of",
    "check_books",
    "clearing",
    "close_period",
    "closed_until",
    "entries_of",
    "entry_rows",
    "is_posted",
    "legs_of",
    "open_day",
    "post",
    "sums_under",
    "turnover",
]

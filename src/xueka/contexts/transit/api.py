"""The transit company: validity, bindings, hot-list, extensions, papers, scripts. The only door."""

from xueka.contexts.transit.domain.hot import REASONS
from xueka.contexts.transit.domain.transitions import BINDING, EXTENSION, PAPER
from xueka.contexts.transit.domain.validity import FARES, STANDINGS
from xueka.contexts.transit.invariants import INVARIANTS
from xueka.contexts.transit.models import (
    OUTCOMES,
    PAPERS,
    Binding,
    Block,
    Extension,
    LookUp,
    Paper,
    Validity,
)
from xueka.contexts.transit.queries import (
    AWAITED,
    SOON,
    Known,
    binding_of,
    binding_rows,
    bindings_late_before,
    block_of,
    block_rows,
    connected,
    extendable_rows,
    extension_rows,
    extensions_late_before,
    hot_counts,
    known_of,
    late_bindings,
    late_extensions,
    open_blocks,
    paper,
    paper_rows,
    refused_bindings,
    waiting_papers,
)
from xueka.contexts.transit.services.bindings import MANAGE, hear_answer, hear_released, send_again
from xueka.contexts.transit.services.blocks import hear_block, settle_blocks
from xueka.contexts.transit.services.comparing import (
    binding_letters,
    hot_letters,
    take_binding,
    take_validity,
)
from xueka.contexts.transit.services.extensions import EXTEND, Bulk, ask, decide, hear_extended
from xueka.contexts.transit.services.following import catch_up, follow
from xueka.contexts.transit.services.hot_list import (
    hear_confirmed,
    hear_whole,
    send_whole,
)
from xueka.contexts.transit.services.papers import REVIEW, ask_range, leave, take, tell_papers
from xueka.contexts.transit.services.papers import hear as hear_paper
from xueka.contexts.transit.services.scripts import hear_script, report_results
from xueka.contexts.transit.services.validity import READ, Answer, hear_validity, look_up

__all__ = [
    "AWAITED",
    "BINDING",
    "EXTEND",
    "EXTENSION",
    "FARES",
    "INVARIANTS",
    "MANAGE",
    "OUTCOMES",
    "PAPER",
    "PAPERS",
    "READ",
    "REASONS",
    "REVIEW",
    "SOON",
    "STANDINGS",
    "Answer",
    "Binding",
    "Block",
    "Bulk",
    "Extension",
    "Known",
    "LookUp",
    "Paper",
    "Validity",
    "ask",
    "ask_range",
    "binding_letters",
    "binding_of",
    "binding_rows",
    "bindings_late_before",
    "block_of",
    "block_rows",
    "catch_up",
    "connected",
    "decide",
    "extendable_rows",
    "extension_rows",
    "extensions_late_before",
    "follow",
    "hear_answer",
    "hear_block",
    "hear_confirmed",
    "hear_extended",
    "hear_paper",
    "hear_released",
    "hear_script",
    "hear_validity",
    "hear_whole",
    "hot_counts",
    "hot_letters",
    "known_of",
    "late_bindings",
    "late_extensions",
    "leave",
    "look_up",
    "open_blocks",
    "paper",
    "paper_rows",
    "refused_bindings",
    "report_results",
    "send_again",
    "send_whole",
    "settle_blocks",
    "take",
    "take_binding",
    "take_validity",
    "tell_papers",
    "waiting_papers",
]

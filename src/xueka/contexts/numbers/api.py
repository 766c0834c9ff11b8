"""Number ranges and blanks: the only door into this context."""

from xueka.contexts.numbers.invariants import INVARIANTS
from xueka.contexts.numbers.models import Sort
from xueka.contexts.numbers.queries import (
    Level,
    LotStock,
    RangeView,
    blank_uids,
    fate,
    levels,
    ranges,
    stock,
)
from xueka.contexts.numbers.services.blanks import LotReport, bind_blanks, import_blank_lot, set_aside
from xueka.contexts.numbers.services.putting_back import put_back
from xueka.contexts.numbers.services.ranges import (
    add_range,
    allocate,
    close_range,
    mark_returned,
    mark_spoiled,
    mark_used,
)
from xueka.contexts.numbers.services.taking_over import (
    TakenNumber,
    TakenRange,
    take_back_numbers,
    take_back_ranges,
    take_over_numbers,
    take_over_ranges,
)

__all__ = [
    "INVARIANTS",
    "Level",
    "LotReport",
    "LotStock",
    "RangeView",
    "Sort",
    "TakenNumber",
    "TakenRange",
    "add_range",
    "allocate",
    "bind_blanks",
    "blank_uids",
    "close_range",
    "fate",
    "import_blank_lot",
    "levels",
    "mark_returned",
    "mark_spoiled",
    "mark_used",
    "put_back",
    "ranges",
    "set_aside",
    "stock",
    "take_back_numbers",
    "take_back_ranges",
    "take_over_numbers",
    "take_over_ranges",
]

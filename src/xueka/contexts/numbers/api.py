"""Number ranges and blanks: the only door into this context."""

from xueka.contexts.numbers.domain.handing_over import DIRECTIONS, PURPOSES, Slip
from xueka.contexts.numbers.domain.transitions import INITIALISATION
from xueka.contexts.numbers.invariants import INVARIANTS
from xueka.contexts.numbers.models import Blank, BlankLot, HandOver, Initialisation, NumberUse, Sort
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
from xueka.contexts.numbers.schedule import (
    BLANK_LABELS,
    USE_LABELS,
    OrderView,
    blank_rows,
    find_blank,
    hand_over_rows,
    late_days,
    lot,
    order,
    order_rows,
    out_of_house,
    overdue,
    range_,
    use_rows,
)
from xueka.contexts.numbers.schedule import hand_over as hand_over_record
from xueka.contexts.numbers.services.blanks import (
    LotReport,
    bind_blanks,
    import_blank_lot,
    restock,
    set_aside,
)
from xueka.contexts.numbers.services.handing_over import correct as correct_hand_over
from xueka.contexts.numbers.services.handing_over import hand_over, return_blanks
from xueka.contexts.numbers.services.initialisation import cancel_order, plan, reschedule, settle_short
from xueka.contexts.numbers.services.putting_back import put_back
from xueka.contexts.numbers.services.ranges import (
    add_range,
    allocate,
    close_range,
    mark_returned,
    mark_spoiled,
    mark_used,
    reopen_range,
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
    "BLANK_LABELS",
    "DIRECTIONS",
    "INITIALISATION",
    "INVARIANTS",
    "PURPOSES",
    "USE_LABELS",
    "Blank",
    "BlankLot",
    "HandOver",
    "Initialisation",
    "Level",
    "LotReport",
    "LotStock",
    "NumberUse",
    "OrderView",
    "RangeView",
    "Slip",
    "Sort",
    "TakenNumber",
    "TakenRange",
    "add_range",
    "allocate",
    "bind_blanks",
    "blank_rows",
    "blank_uids",
    "cancel_order",
    "close_range",
    "correct_hand_over",
    "fate",
    "find_blank",
    "hand_over",
    "hand_over_record",
    "hand_over_rows",
    "import_blank_lot",
    "late_days",
    "levels",
    "lot",
    "mark_returned",
    "mark_spoiled",
    "mark_used",
    "order",
    "order_rows",
    "out_of_house",
    "overdue",
    "plan",
    "put_back",
    "range_",
    "ranges",
    "reopen_range",
    "reschedule",
    "restock",
    "return_blanks",
    "set_aside",
    "settle_short",
    "stock",
    "take_back_numbers",
    "take_back_ranges",
    "take_over_numbers",
    "take_over_ranges",
    "use_rows",
]

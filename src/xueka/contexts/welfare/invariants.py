"""What must always hold of what is known from the welfare-card platform."""

from xueka.contexts.welfare.domain.transitions import ENTITLEMENT
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(ENTITLEMENT, "welfare_entitlement"),
    steps_allowed(ENTITLEMENT),
    from_rows(
        "welfare_told_cards_have_a_number",
        "告知权益平台的卡都有北京通号，且不在制作途中",
        "SELECT c.number, c.beijing_tong_number = ''"
        "       OR c.state NOT IN ('active', 'lost', 'cancelled', 'void', 'destroyed')"
        "  FROM welfare_entitledcard t JOIN cards_card c ON c.id = t.card_id",
    ),
]

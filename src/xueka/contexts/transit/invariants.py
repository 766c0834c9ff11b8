"""What must always hold of what is known from the transit company."""

from xueka.contexts.transit.domain.transitions import BINDING, EXTENSION, PAPER
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(BINDING, "transit_binding"),
    steps_allowed(BINDING),
    state_matches_history(EXTENSION, "transit_extension"),
    steps_allowed(EXTENSION),
    state_matches_history(PAPER, "transit_paper"),
    steps_allowed(PAPER),
    from_rows(
        "transit_dead_cards_are_hot",
        "黑名单上的卡都已挂失或注销，解绑的卡都不在用",
        # A card that moved in this very moment is followed in a few seconds.
        "SELECT c.number, h.reason <> '' AND c.state NOT IN ('lost', 'cancelled', 'void', 'destroyed')"
        "       AND c.state_at < h.at"
        "  FROM transit_hotcard h JOIN cards_card c ON c.id = h.card_id",
    ),
    from_rows(
        "transit_validity_is_of_a_card_with_a_number",
        "公交有效期都属于有一卡通号的卡，且不是将来听到的",
        "SELECT v.id, c.transit_number = '' OR v.heard_at > now() + interval '1 day'"
        "  FROM transit_validity v JOIN cards_card c ON c.id = v.card_id",
    ),
]

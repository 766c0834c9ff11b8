"""What must always hold of what is known from the transit company."""

from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    from_rows(
        "transit_validity_is_of_a_card_with_a_number",
        "公交有效期都属于有一卡通号的卡，且不是将来听到的",
        "SELECT v.id, c.transit_number = '' OR v.heard_at > now() + interval '1 day'"
        "  FROM transit_validity v JOIN cards_card c ON c.id = v.card_id",
    ),
]

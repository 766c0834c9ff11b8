"""What must always hold of comparisons, differences and what cards were told of."""

from xueka.contexts.interop.domain.transitions import DIFFERENCE
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(DIFFERENCE, "interop_difference"),
    steps_allowed(DIFFERENCE),
    from_rows(
        "interop_follower_is_not_ahead",
        "读到的位置不超过办理记录的末尾",
        "SELECT counterpart, read_up_to > (SELECT last_value FROM history_transition_id_seq)"
        " OR (pending_xid > 0 AND pending_up_to <= read_up_to) FROM interop_follower",
    ),
    from_rows(
        "interop_card_messages_say_what_the_history_says",
        "发给对接方的每条卡状态都在它的卡的对象之下，且这张卡存在",
        "SELECT o.message_id, c.id IS NULL FROM exchange_outgoing o"
        "  JOIN exchange_stream s ON s.id = o.stream_id"
        "  LEFT JOIN cards_card c ON s.key = 'card:' || c.number WHERE o.kind = 'card.status'",
    ),
]

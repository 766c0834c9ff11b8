"""What must always hold of comparisons, differences and what cards were told of."""

from xueka.contexts.interop.domain.transitions import DIFFERENCE, NUMBER_REQUEST, TONG_APPLICATION
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(DIFFERENCE, "interop_difference"),
    steps_allowed(DIFFERENCE),
    state_matches_history(NUMBER_REQUEST, "interop_numberrequest"),
    steps_allowed(NUMBER_REQUEST),
    state_matches_history(TONG_APPLICATION, "interop_tongapplication"),
    steps_allowed(TONG_APPLICATION),
    from_rows(
        "interop_corrections_follow_their_repairs",
        "没有批准的市民信息更正不会引出换卡",
        "SELECT x.message_id, x.exchange_id IS NOT NULL AND r.state"
        " NOT IN ('applied', 'undo_asked', 'undone') FROM interop_correction x"
        " JOIN repairs_repair r ON r.id = x.repair_id",
    ),
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

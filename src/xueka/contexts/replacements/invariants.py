"""What must always hold of replacements."""

from xueka.contexts.replacements.domain.transitions import REPLACEMENT
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    from_rows(
        "replacements_made_only_when_paid_or_free",
        "制卡的补换都已缴费或免费，金额与订单一致",
        """
            SELECT r.number, r.fee_fen > 0 AND (o.id IS NULL OR o.amount_fen <> r.fee_fen
                   OR o.state NOT IN ('paid', 'refunding', 'refunded'))
              FROM replacements_replacement r LEFT JOIN payments_order o ON o.id = r.order_id
             WHERE r.application_id IS NOT NULL""",
    ),
    from_rows(
        "replacements_ended_money_goes_back",
        "取消的补换没有留着家长的钱",
        """
            SELECT r.number, o.state = 'paid'
              FROM replacements_replacement r JOIN payments_order o ON o.id = r.order_id
             WHERE r.state = 'cancelled'""",
    ),
    from_rows(
        "replacements_belong_to_the_child",
        "补换的旧卡、申领和订单都是同一名学生的",
        """
            SELECT r.number, c.student_id <> r.student_id OR coalesce(o.student_id <> r.student_id, false)
                   OR coalesce(k.student_id <> r.student_id, false)
              FROM replacements_replacement r
              JOIN cards_card c ON c.id = r.old_card_id
              LEFT JOIN payments_order o ON o.id = r.order_id
              LEFT JOIN cards_application a ON a.id = r.application_id
              LEFT JOIN cards_cardaccount k ON k.id = a.account_id""",
    ),
    from_rows(
        "replacements_handed_out_have_a_card",
        "已领卡的补换，申领已办结",
        """
            SELECT r.number, a.state IS DISTINCT FROM 'fulfilled' OR r.delivered_at IS NULL
              FROM replacements_replacement r LEFT JOIN cards_application a ON a.id = r.application_id
             WHERE r.state = 'handed_out'""",
    ),
    state_matches_history(REPLACEMENT, "replacements_replacement"),
    steps_allowed(REPLACEMENT),
]

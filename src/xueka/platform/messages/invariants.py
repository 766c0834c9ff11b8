"""What must always hold of the outbox."""

from xueka.platform.invariants import from_rows

INVARIANTS = [
    from_rows(
        "messages_sent_are_known_to_the_gateway",
        "交出的短信有网关编号，先有登记后交出，结束不早于交出",
        "SELECT id::text, (state IN ('sent', 'delivered') AND gateway_id = '')"
        "    OR sent_at < created_at OR ended_at < coalesce(sent_at, created_at)"
        "  FROM outbox_message",
    ),
    from_rows(
        "reminders_respect_wishes",
        "退订之后没有再发提醒",
        # A minute for one that was on its way when the family refused.
        "SELECT m.id::text, m.state IN ('sent', 'delivered') AND EXISTS ("
        "    SELECT 1 FROM outbox_optout o WHERE o.phone_index = m.phone_index"
        "       AND o.at < m.tried_at - interval '1 minute'"
        "       AND (o.ended_at IS NULL OR o.ended_at > m.tried_at))"
        "  FROM outbox_message m WHERE m.kind = 'reminder'",
    ),
]

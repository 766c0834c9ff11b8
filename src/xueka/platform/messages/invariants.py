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
]

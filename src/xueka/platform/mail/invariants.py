"""What must always hold of the mails."""

from xueka.platform.invariants import from_rows

INVARIANTS = [
    from_rows(
        "mail_sent_were_tried",
        "交出的邮件发过，先有登记后交出，结束不早于交出",
        "SELECT id::text, (state IN ('sent', 'delivered') AND tried_at IS NULL)"
        "    OR sent_at < created_at OR ended_at < coalesce(sent_at, created_at)"
        "  FROM mail_mail",
    ),
]

"""What must always hold of statements and breaks."""

from xueka.contexts.treasury.domain.transitions import BREAK
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import from_rows

INVARIANTS = [
    state_matches_history(BREAK, "treasury_breakrow"),
    steps_allowed(BREAK),
    from_rows(
        "treasury_statement_lines_are_whole",
        "可用的交易账单，行数和金额与收到时相符；不可用的没有一行入库",
        """
        SELECT s.channel || ' ' || s.day,
               CASE WHEN s.usable THEN (s.amount_fen, s.refund_fen) IS DISTINCT FROM
                        (coalesce(l.amount, 0), coalesce(l.refund, 0)) ELSE l.n IS NOT NULL END
          FROM treasury_statement s
          LEFT JOIN (SELECT statement_id, count(*) AS n,
                            sum(amount_fen) FILTER (WHERE kind = 'payment') AS amount,
                            sum(amount_fen) FILTER (WHERE kind = 'refund') AS refund
                       FROM treasury_statementline GROUP BY 1) l ON l.statement_id = s.id
         WHERE s.kind = 'trade'""",
    ),
    from_rows(
        "treasury_breaks_signed_as_the_history_says",
        "每项已签认的差错，说明人和签认人都与办理记录相符，且不是同一人",
        """
        SELECT r.kind || ' ' || r.key,
               (r.explained_by, r.signed_by) IS DISTINCT FROM (e.actor, g.actor) OR e.actor = g.actor
          FROM treasury_breakrow r
          LEFT JOIN LATERAL (SELECT actor FROM history_transition WHERE machine = 'break' AND object_id = r.id
                                AND event = 'explain' ORDER BY seq DESC LIMIT 1) e ON true
          LEFT JOIN LATERAL (SELECT actor FROM history_transition WHERE machine = 'break' AND object_id = r.id
                                AND event = 'sign' ORDER BY seq DESC LIMIT 1) g ON true
         WHERE r.state = 'signed'""",
    ),
]

"""What must always hold of statements and breaks."""

from xueka.contexts.treasury.domain.transitions import BREAK
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
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
    from_rows(
        "treasury_breaks_stand_in_the_books",
        "每项差错挂账的金额与账簿一致，没有签认的不新挂账",
        """
        SELECT r.kind || ' ' || r.key,
               r.posted_fen <> -coalesce(s.fen, 0) OR r.posts <> coalesce(s.entries, 0)
          FROM treasury_breakrow r
          LEFT JOIN (SELECT (e.about ->> 'break')::bigint AS id, count(DISTINCT e.id) AS entries,
                            sum(g.fen) FILTER (WHERE g.account = 'breaks') AS fen
                       FROM ledger_entry e JOIN ledger_posting g ON g.entry_id = e.id
                      WHERE e.kind = 'break' GROUP BY 1) s ON s.id = r.id
        """,
    ),
    from_rows(
        "treasury_settlements_say_what_the_statement_says",
        "每日结算入账的金额等于该日资金账单的收入减退款",
        """
        SELECT s.channel || ' ' || s.day, -e.fen IS DISTINCT FROM s.amount_fen - s.refund_fen
          FROM (SELECT split_part(e.key, ':', 2) AS channel, split_part(e.key, ':', 3)::date AS day,
                       sum(g.fen) AS fen, max((e.about ->> 'statement')::bigint) AS statement
                  FROM ledger_entry e JOIN ledger_posting g ON g.entry_id = e.id
                   AND g.account LIKE 'clearing.%'
                 WHERE e.kind = 'settlement' GROUP BY 1, 2) e
          JOIN treasury_statement s ON s.id = e.statement
        """,
    ),
    from_rows(
        "treasury_confirmed_money_is_in_the_books_once",
        "每笔财政确认要么已入账、金额一致，要么在待入账之列",
        """
        SELECT coalesce(e.key, c.tra_no), CASE WHEN e.id IS NULL THEN t.id IS NULL
                   ELSE c.id IS NULL OR t.id IS NOT NULL OR c.amount_fen IS DISTINCT FROM (
                       SELECT sum(fen) FROM ledger_posting WHERE entry_id = e.id AND account = 'treasury') END
          FROM (SELECT id, key FROM ledger_entry WHERE kind = 'confirmation') e
          FULL JOIN treasury_confirmation c ON 'confirmed:' || c.tra_no = e.key
          LEFT JOIN treasury_topost t ON t.confirmation_id = c.id
        """,
    ),
]

"""What must always hold between closes, payments, refunds and the books."""

from xueka.contexts.closing.domain.transitions import CLOSE
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(CLOSE, "closing_close"),
    steps_allowed(CLOSE),
    from_rows(
        "closes_follow_each_other",
        "已签署的周结按周、按序号首尾相接，逐一承接上一个的摘要",
        """
        SELECT number,
               seq <> row_number() OVER w
               OR previous <> coalesce(lag(digest) OVER w, '')
               OR coalesce(monday <= lag(monday) OVER w, false)
          FROM closing_close WHERE seq IS NOT NULL WINDOW w AS (ORDER BY seq)
        """,
    ),
    from_rows(
        "closes_add_up",
        "周结各渠道的金额等于逐笔之和，总额等于各渠道之和",
        """
        SELECT c.number || ' ' || p.channel,
               (p.orders, p.gross_fen, p.refunded_fen, p.to_remit_fen, p.confirmed_fen) IS DISTINCT FROM
               (coalesce(l.n, 0), coalesce(l.gross, 0), coalesce(l.refunded, 0), coalesce(l.remit, 0),
                coalesce(l.confirmed, 0))
               OR c.to_remit_fen <> t.remit OR c.confirmed_fen <> t.confirmed
          FROM closing_part p JOIN closing_close c ON c.id = p.close_id
          LEFT JOIN (SELECT part_id, count(*) AS n, sum(gross_fen) AS gross, sum(refunded_fen) AS refunded,
                            sum(remit_fen) AS remit, sum(confirmed_fen) AS confirmed
                       FROM closing_line GROUP BY part_id) l ON l.part_id = p.id
          JOIN (SELECT close_id, sum(to_remit_fen) AS remit, sum(confirmed_fen) AS confirmed
                  FROM closing_part GROUP BY close_id) t ON t.close_id = c.id
        """,
    ),
    from_rows(
        "payments_are_remitted_once",
        "代收缴款列入的周结与其登记一致，直达缴款没有列入上缴",
        """
        SELECT p.out_trade_no,
               p.remitted_in <> CASE WHEN p.settlement = 'merchant' THEN coalesce(c.number, '') ELSE '' END
               OR l.id IS NOT NULL AND ((l.channel, l.settlement) <> (p.channel, p.settlement)
                                        OR l.gross_fen <> p.received_fen - p.stray_fen)
          FROM payments_payment p
          LEFT JOIN closing_line l ON l.payment_id = p.id
          LEFT JOIN closing_part t ON t.id = l.part_id
          LEFT JOIN closing_close c ON c.id = t.close_id
         WHERE p.credited
        """,
    ),
    from_rows(
        "nothing_goes_two_ways",
        "已列入周结的代收缴款，原路退回与上缴之和不超过实收；签署以后渠道才退成的，都在退付登记簿里",
        """
        SELECT p.out_trade_no,
               l.remit_fen + coalesce(sum(r.amount_fen), 0) > p.received_fen - p.stray_fen
          FROM closing_line l JOIN payments_payment p ON p.id = l.payment_id
          LEFT JOIN payments_refund r
            ON r.payment_id = p.id AND r.source = 'income' AND r.way = 'channel' AND r.state <> 'failed'
           -- Not one that went back after all and is asked for: on the register, or about to be.
           AND NOT EXISTS (SELECT 1 FROM closing_backpayment b WHERE b.refund_id = r.id)
           AND NOT (r.state = 'succeeded' AND r.state_at > (
               SELECT h.at - interval '10 minutes' FROM history_transition h ORDER BY h.id DESC LIMIT 1)
               AND EXISTS (SELECT 1 FROM history_transition h
                            WHERE h.machine = 'refund' AND h.object_id = r.id
                              AND h.event = 'succeed_after_all'))
         WHERE l.settlement = 'merchant' GROUP BY l.id, p.id
        """,
    ),
    from_rows(
        "remittances_are_in_the_books",
        "每次上缴在账簿里恰有一笔，金额等于该渠道应缴；已上缴的周结各渠道都已登记",
        """
        SELECT c.number || ' ' || p.channel,
               coalesce(r.amount_fen, 0) <> CASE WHEN r.id IS NULL THEN 0 ELSE p.to_remit_fen END
               OR (r.id IS NOT NULL) <> (e.id IS NOT NULL)
               OR coalesce(s.fen, 0) <> coalesce(r.amount_fen, 0)
               OR c.state = 'remitted' AND p.to_remit_fen > 0 AND r.id IS NULL
          FROM closing_part p JOIN closing_close c ON c.id = p.close_id
          LEFT JOIN closing_remittance r ON r.part_id = p.id
          LEFT JOIN ledger_entry e
            ON p.settlement = 'merchant' AND e.key = 'remit:' || c.number || ':' || p.channel
          LEFT JOIN LATERAL (SELECT sum(fen) AS fen FROM ledger_posting
                              WHERE entry_id = e.id AND account = 'treasury') s ON true
        """,
    ),
    from_rows(
        "signed_weeks_are_closed_in_the_books",
        "已签署的周，账簿已经结账",
        """
        SELECT number, NOT EXISTS (SELECT 1 FROM ledger_closing g WHERE g.until >= sunday)
          FROM closing_close WHERE seq IS NOT NULL
        """,
    ),
    from_rows(
        "back_payments_end_with_their_refund",
        "登记了结果的退付，其退款已有结果",
        """
        SELECT r.number, b.ended_at IS NOT NULL AND r.state NOT IN ('succeeded', 'failed')
               OR r.way <> 'payback' AND (r.state <> 'succeeded' OR b.settlement <> 'merchant')
          FROM closing_backpayment b JOIN payments_refund r ON r.id = b.refund_id
        """,
    ),
]

"""What must always hold between orders, payments, refunds, notices and the books."""

from xueka.contexts.payments.domain.transitions import ORDER, PAYMENT, REFUND
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(ORDER, "payments_order"),
    steps_allowed(ORDER),
    state_matches_history(PAYMENT, "payments_payment"),
    steps_allowed(PAYMENT),
    state_matches_history(REFUND, "payments_refund"),
    steps_allowed(REFUND),
    from_rows(
        "orders_are_paid_once",
        "已缴费的订单恰有一笔入账的支付，其他订单没有",
        """
        SELECT o.number,
               (o.state IN ('paid', 'refunding', 'refunded')) <> (count(p.id) = 1)
               OR (o.success_at IS NOT NULL) <> (count(p.id) = 1)
               OR coalesce(min(p.success_at) <> o.success_at, false)
          FROM payments_order o LEFT JOIN payments_payment p ON p.order_id = o.id AND p.credited
         GROUP BY o.id, o.number, o.state, o.success_at
        """,
    ),
    from_rows(
        "payments_are_in_the_books_once",
        "每笔成功的支付在账簿里恰有一笔分录，金额相同",
        """
        SELECT p.out_trade_no,
               (p.state = 'succeeded') <> (e.id IS NOT NULL)
               OR p.state = 'succeeded' AND (
                  coalesce(s.clearing, 0) <> p.received_fen
                  OR coalesce(s.payers, 0) <> -p.stray_fen
                  OR coalesce(s.owed, 0) <> p.stray_fen - p.received_fen)
          FROM payments_payment p JOIN payments_order o ON o.id = p.order_id
          LEFT JOIN ledger_entry e ON e.key = 'payment:' || p.out_trade_no
          LEFT JOIN LATERAL (
              SELECT sum(fen) FILTER (WHERE account = 'clearing.' || p.channel) AS clearing,
                     sum(fen) FILTER (WHERE account = 'payers') AS payers,
                     sum(fen) FILTER (WHERE account = CASE WHEN o.fine THEN 'fines' ELSE 'income' END) AS owed
                FROM ledger_posting WHERE entry_id = e.id) s ON true
        """,
    ),
    from_rows(
        "no_payment_entry_without_its_payment",
        "账簿里的收款分录都有成功的支付",
        """
        SELECT e.key, p.id IS NULL
          FROM ledger_entry e
          LEFT JOIN payments_payment p
            ON 'payment:' || p.out_trade_no = e.key AND p.state = 'succeeded'
         WHERE e.kind = 'payment'
        """,
    ),
    from_rows(
        "strays_go_back",
        "不属于订单的钱都有退款在办或已退，或失败待查",
        """
        SELECT p.out_trade_no, coalesce(sum(r.amount_fen), 0) <> p.stray_fen
          FROM payments_payment p
          LEFT JOIN payments_refund r ON r.payment_id = p.id AND r.source = 'payers'
           AND (r.state <> 'failed'
                OR NOT EXISTS (SELECT 1 FROM payments_refund a WHERE a.key = 'again:' || r.number))
         WHERE p.stray_fen > 0 GROUP BY p.id, p.out_trade_no, p.stray_fen
        """,
    ),
    from_rows(
        "refunds_stay_within_what_came",
        "退款合计不超过实收",
        """
        SELECT p.out_trade_no,
               p.received_fen IS NULL
               OR sum(r.amount_fen) FILTER (WHERE r.source = 'income') > p.received_fen - p.stray_fen
               OR sum(r.amount_fen) FILTER (WHERE r.source = 'payers') > p.stray_fen
          FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
         WHERE r.state <> 'failed' GROUP BY p.id, p.out_trade_no, p.received_fen, p.stray_fen
        """,
    ),
    from_rows(
        "refunds_are_in_the_books",
        "在途退款等于账簿的在途余额，已退、未成的余额为零",
        """
        SELECT r.number,
               coalesce(s.fen, 0)
                  <> CASE WHEN r.state IN ('succeeded', 'failed') THEN 0 ELSE -r.amount_fen END
               OR s.entries IS DISTINCT FROM CASE WHEN r.state IN ('succeeded', 'failed') THEN 2 ELSE 1 END
          FROM payments_refund r
          LEFT JOIN (SELECT reference, sum(fen) AS fen, count(*) AS entries
                       FROM ledger_posting WHERE account = 'refunds' GROUP BY reference) s
            ON s.reference = r.number
        """,
    ),
    from_rows(
        "refunded_orders_are_refunded",
        "已退款的订单退回了全部金额，退款中的有退款在办",
        """
        SELECT o.number,
               CASE o.state
                 WHEN 'refunded' THEN o.amount_fen <> coalesce(
                      sum(r.amount_fen) FILTER (WHERE r.state = 'succeeded'), 0)
                 ELSE count(r.id) FILTER (WHERE r.state NOT IN ('succeeded', 'failed')) = 0 END
          FROM payments_order o
          LEFT JOIN payments_refund r ON r.order_id = o.id AND r.source = 'income'
         WHERE o.state IN ('refunded', 'refunding') GROUP BY o.id, o.number, o.state, o.amount_fen
        """,
    ),
    from_rows(
        "notices_applied_were_verified",
        "入账的通知都验证过，且有对应的支付",
        """
        SELECT id::text, payment_id IS NULL OR notice_id = '' OR out_trade_no = ''
          FROM payments_notice WHERE outcome = 'applied'
        """,
    ),
    from_rows(
        "settled_orders_are_told",
        "每张已有结果的订单都通知了后续环节",
        """
        SELECT o.number, NOT EXISTS (
                   SELECT 1 FROM payments_settled s WHERE s.order_id = o.id
                      AND s.state = CASE WHEN o.state = 'refunding' THEN 'paid' ELSE o.state END)
          FROM payments_order o WHERE o.state <> 'open'
        """,
    ),
    from_rows(
        "unknown_money_is_in_the_books_once",
        "渠道查实的无主款项都已挂账，金额相同；其余没有入账",
        """
        SELECT u.channel || ' ' || u.channel_id,
               (u.state = 'booked') <> (e.id IS NOT NULL)
               OR u.fen IS DISTINCT FROM (SELECT sum(fen) FROM ledger_posting
                                           WHERE entry_id = e.id AND account LIKE 'clearing.%')
          FROM payments_unknown u
          LEFT JOIN ledger_entry e ON e.key = 'unknown:' || u.channel || ':' || u.channel_id
        """,
    ),
]

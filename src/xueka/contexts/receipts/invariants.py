"""What must always hold between receipts, money and the numbers drawn."""

from xueka.contexts.receipts.domain.transitions import RECEIPT
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

INVARIANTS: list[Invariant] = [
    state_matches_history(RECEIPT, "receipts_receipt"),
    steps_allowed(RECEIPT),
    from_rows(
        "receipts_follow_the_money",
        "每张已读到的已缴费订单都有一张蓝票在办或已开，金额相同",
        """
        SELECT p.out_trade_no, r.id IS NULL OR r.amount_fen <> p.amount_fen
          FROM payments_settled s
          JOIN receipts_followed f ON s.seq <= f.seq
          JOIN payments_payment p ON p.order_id = s.order_id AND p.credited
          LEFT JOIN receipts_receipt r ON r.payment_id = p.id AND r.refund_id IS NULL
         WHERE s.state = 'paid'""",
    ),
    from_rows(
        "receipts_are_of_money",
        "每张蓝票都有入账的缴款，每张红票都有已退的款，金额相同",
        """
        SELECT r.id::text,
               r.order_id <> p.order_id
               OR CASE WHEN r.refund_id IS NULL THEN NOT p.credited OR r.amount_fen <> p.amount_fen
                       ELSE b.state <> 'succeeded' OR b.source <> 'income' OR b.payment_id <> r.payment_id
                            OR r.amount_fen <> -b.amount_fen OR blue.payment_id <> r.payment_id END
          FROM receipts_receipt r
          JOIN payments_payment p ON p.id = r.payment_id
          LEFT JOIN payments_refund b ON b.id = r.refund_id
          LEFT JOIN receipts_receipt blue ON blue.id = r.blue_id""",
    ),
    from_rows(
        "receipts_taken_back_within_the_blue",
        "红票合计不超过蓝票",
        """
        SELECT blue.id::text, sum(red.amount_fen) + blue.amount_fen < 0 OR blue.refund_id IS NOT NULL
          FROM receipts_receipt red JOIN receipts_receipt blue ON blue.id = red.blue_id
         GROUP BY blue.id""",
    ),
    from_rows(
        "receipts_kept_as_they_came",
        "已归档的票据，原件的名称是它的代码和号码，入档时的签章在册",
        """
        SELECT r.id::text,
               f.name IS DISTINCT FROM r.code || '_' || r.number || '.xml' OR s.fingerprint IS NULL
          FROM receipts_receipt r
          LEFT JOIN files_storedfile f ON f.id = r.file_id
          LEFT JOIN receipts_seal s ON s.fingerprint = r.seal_id
         WHERE r.state = 'kept'""",
    ),
    from_rows(
        "receipt_stock_adds_up",
        "每段领取的票号，用掉的张数等于其中票据的张数",
        """
        SELECT d.msg_id, d.used <> count(r.id)
          FROM receipts_draw d
          LEFT JOIN receipts_receipt r ON r.code = d.code AND r.number <> ''
               AND r.number::bigint >= d.first AND r.number::bigint < d.first + d.count
         WHERE d.first IS NOT NULL GROUP BY d.id, d.msg_id, d.used""",
    ),
]

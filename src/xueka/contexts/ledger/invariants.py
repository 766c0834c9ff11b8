"""What must always hold in the books."""

from xueka.contexts.ledger.domain.chart import MOVES
from xueka.platform.invariants import Invariant, from_rows

_MOVES = ", ".join(f"('{kind}', '{account}')" for kind, accounts in MOVES.items() for account in accounts)

INVARIANTS: list[Invariant] = [
    from_rows(
        "ledger_entries_are_balanced",
        "每笔分录至少两行、借贷相等",
        """
        SELECT e.key, count(p.id) < 2 OR coalesce(sum(p.fen), 0) <> 0
          FROM ledger_entry e LEFT JOIN ledger_posting p ON p.entry_id = e.id GROUP BY e.id, e.key
        """,
    ),
    Invariant(
        "ledger_adds_up_to_nothing",
        "全部科目余额之和为零",
        """
        SELECT count(*), CASE WHEN coalesce(sum(fen), 0) = 0 THEN 0 ELSE count(*) END,
               CASE WHEN coalesce(sum(fen), 0) = 0 THEN NULL ELSE ARRAY[sum(fen)::text] END
          FROM ledger_posting
        """,
    ),
    from_rows(
        "ledger_owes_nobody_twice",
        "同一编号下的应退、在途退款不会退出超过所欠的金额",
        """
        SELECT account || ' ' || reference, sum(fen) > 0
          FROM ledger_posting WHERE account IN ('payers', 'refunds') GROUP BY account, reference
        """,
    ),
    from_rows(
        "ledger_accounts_move_by_their_events",
        "每类业务只动它该动的科目",
        f"""
        SELECT e.key || ' ' || p.account, m.kind IS NULL
          FROM ledger_posting p JOIN ledger_entry e ON e.id = p.entry_id
          LEFT JOIN (VALUES {_MOVES}) AS m (kind, account)
            ON m.kind = e.kind AND m.account = split_part(p.account, '.', 1)
        """,  # noqa: S608
    ),
    from_rows(
        "ledger_closed_periods_stay_closed",
        "结账后各科目余额与结账时一致",
        """
        SELECT c.until::text, c.totals <> (
                   SELECT jsonb_object_agg(known.account, coalesce(summed.fen, 0))
                     FROM jsonb_object_keys(c.totals) AS known(account)
                     LEFT JOIN (SELECT p.account, sum(p.fen) AS fen
                                  FROM ledger_posting p JOIN ledger_entry e ON e.id = p.entry_id
                                 WHERE e."on" <= c.until GROUP BY p.account) summed
                       ON summed.account = known.account)
          FROM ledger_closing c
        """,
    ),
]

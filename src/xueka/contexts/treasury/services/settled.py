"""What a channel has put into our account there, beside what it says it has taken; and refunds from the
treasury beside books and finance office. Reads only.
"""

from datetime import date, timedelta
from typing import Any

from django.db import connection

from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.domain.breaks import Break
from xueka.contexts.treasury.domain.formats.lines import MILLIFEN, REFUND

_REACH = timedelta(days=1)
"""Trade and fund flow of one payment may lie on either side of midnight."""
_ROUNDING = 500
"""Thousandths of a fen by which each line of a fund flow may be rounded."""
#: Both statements by the channel's number of the payment; only days of which both are here are compared.
_PAIRS = """
WITH used AS (
    SELECT DISTINCT ON (channel, kind, day) id, channel, kind, day FROM treasury_statement
     WHERE usable AND channel IN ('wechat', 'alipay') AND day BETWEEN %(from)s AND %(to)s
     ORDER BY channel, kind, day, id DESC),
both_here AS (
    SELECT t.channel, t.day FROM used t JOIN used f USING (channel, day)
     WHERE t.kind = 'trade' AND f.kind = 'fund' AND day BETWEEN %(first)s AND %(last)s),
lines AS (
    SELECT u.kind AS side, l.* FROM treasury_statementline l JOIN used u ON u.id = l.statement_id
     WHERE l.status NOT IN ('FAIL', 'CHANGE') AND l.of_id <> ''),
trade AS (
    SELECT channel, kind, of_id, min(day) AS day, sum(amount_fen) AS fen, min(number) AS number,
           min(of_number) AS of_number
      FROM lines WHERE side = 'trade' GROUP BY 1, 2, 3),
fund AS (
    SELECT channel, kind, of_id, min(day) AS day, sum(amount_fen) AS fen, min(number) AS number,
           min(of_number) AS of_number
      FROM lines WHERE side = 'fund' AND kind <> 'other' GROUP BY 1, 2, 3),
money AS (
    SELECT coalesce(t.channel, f.channel) AS channel, coalesce(t.kind, f.kind) AS kind,
           coalesce(t.of_id, f.of_id) AS of_id, coalesce(t.day, f.day) AS day,
           t.fen AS traded, f.fen AS settled,
           coalesce(t.number, f.number) AS number, coalesce(t.of_number, f.of_number) AS of_number, 0 AS rows
      FROM trade t FULL JOIN fund f ON (f.channel, f.kind, f.of_id) = (t.channel, t.kind, t.of_id)
     WHERE t.fen IS DISTINCT FROM f.fen),
fees AS (
    SELECT channel, 'fee' AS kind, of_id, min(day) AS day,
           coalesce(sum(fee_millifen) FILTER (WHERE side = 'trade'), 0) AS traded,
           coalesce(sum(fee_millifen) FILTER (WHERE side = 'fund'), 0) AS settled,
           min(number) AS number, min(of_number) AS of_number, count(*) FILTER (WHERE side = 'trade') AS rows
      FROM lines GROUP BY 1, 2, 3
    HAVING count(*) FILTER (WHERE side = 'trade') > 0)
SELECT m.channel, m.kind, m.of_id, m.day, m.traded::bigint, m.settled::bigint, m.number,
       coalesce(o.number, m.of_number)
  FROM (SELECT * FROM money UNION ALL
        SELECT * FROM fees WHERE abs(traded - settled) > %(rounding)s * rows) m
  JOIN both_here h ON (h.channel, h.day) = (m.channel, m.day)
  LEFT JOIN payments_payment p ON p.channel = m.channel AND p.channel_id = m.of_id
  LEFT JOIN payments_order o ON o.id = p.order_id
 ORDER BY 1, 2, 3
"""


def settlement_breaks(first: date, last: date) -> list[Break]:
    """Money of a trade statement that the fund flow lacks, or has otherwise; a fee that is another."""
    days = {"first": first, "last": last, "from": first - _REACH, "to": last + _REACH, "rounding": _ROUNDING}
    return [_named(*row) for row in _rows(_PAIRS, days)]


def _named(
    channel: str,
    what: str,
    of_id: str,
    day: date,
    traded: int | None,
    settled: int | None,
    number: str,
    order: str,
) -> Break:
    sign = -1 if what == REFUND else 1
    key = number if what == REFUND else of_id
    about = (channel, key, day.isoformat())
    if what == "fee":
        more = (settled or 0) - (traded or 0)
        fen = -((abs(more) + MILLIFEN // 2) // MILLIFEN) * (1 if more > 0 else -1)
        return Break(b.SETTLE_FEE, *about, fen, order, of_id)
    if settled is None:
        return Break(b.SETTLE_MISSING, *about, -sign * (traded or 0), order, of_id)
    kind = b.SETTLE_ONLY if traded is None else b.SETTLE_AMOUNT
    return Break(kind, *about, sign * (settled - (traded or 0)), order, of_id)


#: Refunds from the treasury of these days: what we say, and what the books say.
_PAYBACKS = """
SELECT p.channel, coalesce(r.number, e.number), coalesce(r.day, e.day), r.fen, e.fen, coalesce(o.number, ''),
       coalesce(p.channel_id, '')
  FROM (SELECT number, payment_id, order_id, amount_fen AS fen,
               (success_at AT TIME ZONE 'Asia/Shanghai')::date AS day
          FROM payments_refund WHERE way = 'payback' AND state = 'succeeded') r
  FULL JOIN (SELECT split_part(e.key, ':', 2) AS number, e.on AS day, -sum(g.fen) AS fen
               FROM ledger_entry e JOIN ledger_posting g ON g.entry_id = e.id AND g.account = 'treasury'
              WHERE e.kind = 'refund_done' GROUP BY e.id) e ON e.number = r.number
  LEFT JOIN payments_payment p ON p.id = r.payment_id
  LEFT JOIN payments_order o ON o.id = r.order_id
 WHERE coalesce(r.day, e.day) BETWEEN %(first)s AND %(last)s AND r.fen IS DISTINCT FROM e.fen
 ORDER BY 2
"""
#: What finance has paid back, or is about to, of payments of these days, beside what we have asked for. Only
#: refunds that had come to their end when finance was asked must be in its sum.
_TOLD = """
SELECT p.out_trade_no, (p.success_at AT TIME ZONE 'Asia/Shanghai')::date, o.number, p.channel_id,
       t.refunded_fen, coalesce(r.surely, 0)::bigint, coalesce(r.at_most, 0)::bigint
  FROM treasury_paybacktold t
  JOIN payments_payment p ON p.channel = 'nontax' AND p.channel_id = t.tra_no
  JOIN payments_order o ON o.id = p.order_id
  LEFT JOIN LATERAL (
       SELECT sum(amount_fen) FILTER (WHERE state = 'succeeded' AND success_at < t.told_at) AS surely,
              sum(amount_fen) FILTER (WHERE state <> 'failed') AS at_most
         FROM payments_refund WHERE payment_id = p.id AND way = 'payback') r ON true
 WHERE (p.success_at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN %(first)s AND %(last)s
   AND t.refunded_fen NOT BETWEEN coalesce(r.surely, 0) AND coalesce(r.at_most, 0)
 ORDER BY 1
"""


def payback_breaks(first: date, last: date) -> list[Break]:
    """Refunds from the treasury (退付) that books or finance office do not have as we do."""
    days = {"first": first, "last": last}
    found = []
    for channel, number, day, ours, booked, order, id_ in _rows(_PAYBACKS, days):
        kind = b.LEDGER_MISSING if booked is None else b.LEDGER_ONLY if ours is None else b.LEDGER_AMOUNT
        fen = int(booked or 0) - int(ours or 0)
        found.append(Break(kind, channel or "nontax", number, day.isoformat(), fen, order or number, id_))
    for number, day, order, id_, told, surely, at_most in _rows(_TOLD, days):
        fen = surely - told if told < surely else at_most - told
        said = f"财政 {told} 分，我方 {surely} 至 {at_most} 分"
        found.append(Break(b.PAYBACK_FINANCE, "nontax", number, day.isoformat(), fen, order, id_, said))
    return found


#: Where the last word of the finance office is not the one that stands in the books.
_OTHERWISE = """
SELECT c.tra_no, c.day, coalesce(o.number, c.pay_code), c.channel_id, c.pay_code, c.amount_fen, w.pay_code,
       w.amount_fen
  FROM (SELECT DISTINCT ON (confirmation_id) * FROM treasury_confirmationword
         WHERE day BETWEEN %(first)s AND %(last)s ORDER BY confirmation_id, id DESC) w
  JOIN treasury_confirmation c ON c.id = w.confirmation_id
  LEFT JOIN payments_payment p ON p.channel = 'nontax' AND p.out_trade_no = c.pay_code
  LEFT JOIN payments_order o ON o.id = p.order_id
 WHERE (w.pay_code, w.amount_fen) IS DISTINCT FROM (c.pay_code, c.amount_fen)
 ORDER BY 1
"""


def contradictions(first: date, last: date) -> list[Break]:
    """Confirmations under whose number the finance office has named another amount or code since."""
    found = []
    for key, day, order, id_, code, fen, now, now_fen in _rows(_OTHERWISE, {"first": first, "last": last}):
        said = f"先 {code} {fen} 分，后 {now} {now_fen} 分"
        found.append(
            Break(b.FINANCE_DIFFERS, "nontax", key, day.isoformat(), now_fen - fen, order, id_, said)
        )
    return found


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())

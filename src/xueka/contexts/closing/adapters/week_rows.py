"""What lies in a week, read in single queries over payments, statements, confirmations, books and breaks."""

from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

from xueka.contexts.closing.domain.figures import DIRECT, PaymentFigure

#: A payment belongs to the week in which its entry stands in the books: one that was heard of late, to the
#: first week that was still open. What is in a close is in no other.
_PAYMENTS = """
SELECT p.id, p.out_trade_no, o.number, p.channel, p.settlement, p.received_fen - p.stray_fen,
       coalesce(r.fen, 0), coalesce(r.undecided, 0),
       p.settlement <> 'direct' OR EXISTS (
           SELECT 1 FROM treasury_confirmation c
            WHERE c.pay_code = left(p.out_trade_no, 20) AND c.amount_fen = p.received_fen
              AND p.channel_id <> '' AND p.channel_id IN (c.tra_no, c.channel_id))
  FROM payments_payment p
  JOIN payments_order o ON o.id = p.order_id
  JOIN ledger_entry e ON e.key = 'payment:' || p.out_trade_no
  LEFT JOIN (SELECT payment_id, sum(amount_fen) AS fen,
                    count(*) FILTER (WHERE state <> 'succeeded') AS undecided
               FROM payments_refund
              WHERE source = 'income' AND way = 'channel' AND state <> 'failed' GROUP BY payment_id) r
    ON r.payment_id = p.id AND p.settlement = 'merchant'
 WHERE p.credited AND e."on" <= %s
   AND NOT EXISTS (SELECT 1 FROM closing_line l WHERE l.payment_id = p.id)
 ORDER BY p.id
"""
_FEES = """
SELECT s.channel, sum(s.fee_fen) FROM treasury_statement s
 WHERE s.id IN (SELECT max(id) FROM treasury_statement
                 WHERE usable AND kind = 'trade' AND day BETWEEN %s AND %s GROUP BY channel, day)
 GROUP BY s.channel
"""
_USABLE = """
SELECT channel, day FROM treasury_statement
 WHERE usable AND kind = 'trade' AND day BETWEEN %(first)s AND %(last)s
 UNION
SELECT channel, day FROM treasury_breakrow
 WHERE kind IN ('statement_missing', 'statement_wrong') AND state = 'signed'
   AND day BETWEEN %(first)s AND %(last)s
"""
_BREAKS = """
SELECT count(*), count(*) FILTER (WHERE state <> 'signed'), coalesce(sum(fen) FILTER (WHERE fen > 0), 0),
       coalesce(sum(fen) FILTER (WHERE fen < 0), 0)
  FROM treasury_breakrow WHERE state <> 'gone' AND day <= %s AND (day >= %s OR state <> 'signed')
"""
#: The last thing that reconciliation of these days looks at.
_NEWS = """
SELECT greatest(
    (SELECT max(at) FROM treasury_statement WHERE day BETWEEN %(first)s AND %(last)s),
    (SELECT max(received_at) FROM treasury_confirmation WHERE day BETWEEN %(first)s AND %(last)s),
    (SELECT max(received_at) FROM treasury_confirmationword WHERE day BETWEEN %(first)s AND %(last)s),
    (SELECT max(at) FROM ledger_entry
      WHERE kind IN ('payment', 'refund_done') AND "on" BETWEEN %(first)s AND %(last)s))
"""
#: Once a week is signed nothing before it can be: the chain does not begin anew.
_FIRST = """
SELECT coalesce((SELECT min(monday) FROM closing_close WHERE seq IS NOT NULL),
                least((SELECT min("on") FROM ledger_entry),
                      (SELECT min(day) FROM treasury_statement WHERE rows > 0)))
"""


class Breaks(NamedTuple):
    """Of a week; unsigned ones of earlier weeks too."""

    open: int
    unsigned: int
    surplus_fen: int
    shortage_fen: int


def payments_until(sunday: date) -> list[PaymentFigure]:
    """Every credited payment in the books up to that day that is in no close yet, with what it waits for."""
    return [
        PaymentFigure(
            payment_id,
            number,
            order,
            channel,
            settlement,
            int(gross),
            int(refunded),
            _waits(settlement, undecided, confirmed),
        )
        for payment_id, number, order, channel, settlement, gross, refunded, undecided, confirmed in _rows(
            _PAYMENTS, [sunday]
        )
    ]


def _waits(settlement: str, undecided: int, confirmed: bool) -> str:
    if settlement == DIRECT:
        return "" if confirmed else "财政尚未确认"
    return "退款尚无结果" if undecided else ""


def fees(first: date, last: date) -> dict[str, int]:
    """Net fees of each channel by its statements."""
    return {channel: int(fen) for channel, fen in _rows(_FEES, [first, last])}


def settled_days(first: date, last: date) -> set[tuple[str, date]]:
    """(channel, day) of which there is a usable statement, or whose lack two people have signed."""
    return {(channel, day) for channel, day in _rows(_USABLE, {"first": first, "last": last})}


def breaks(first: date, last: date) -> Breaks:
    [row] = _rows(_BREAKS, [last, first])
    return Breaks(*(int(each) for each in row))


def last_news(first: date, last: date) -> datetime | None:
    """When the last thing came that reconciliation of these days must have seen."""
    [(found,)] = _rows(_NEWS, {"first": first, "last": last})
    return found  # type: ignore[no-any-return]


def first_day() -> date | None:
    """The first day on which money moved, or of the first week that is signed; None before any."""
    [(found,)] = _rows(_FIRST, None)
    return found  # type: ignore[no-any-return]


def _rows(statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())

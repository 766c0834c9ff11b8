"""What becomes of money behind the channels, in the books (docs/ledger.md).

A sweep finds what is not posted yet and posts it under its key; it may be killed or run twice at any point.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import QuerySet

from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.domain.transitions import SIGNED
from xueka.contexts.treasury.models import BreakRow, Confirmation, Statement, StatementLine, ToPost
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused, XuekaError
from xueka.kernel.money import format_yuan
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

log = structlog.get_logger("xueka.treasury")

#: Whose acts follow from what channels and finance office say; nobody's decision.
WORKER = Actor.system("treasury")
#: The statement of each channel that says what has come into our account there.
SETTLING = {"wechat": "fund", "alipay": "fund", "unionpay": "trade"}
BREAK_KIND, TO_POST_KIND = "break", "to_post"
_AT_ONCE = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 600  # seconds
_SLIP_LENGTH = 40
_POSTINGS = 5000  # of one entry
_Sums = Mapping[tuple[str, str, str], int]

_ALONE = "SELECT pg_advisory_xact_lock(hashtext('treasury.fees'))"
_UNPOSTED_CONFIRMATIONS = """
SELECT c.id, p.out_trade_no, o.number
  FROM treasury_topost t JOIN treasury_confirmation c ON c.id = t.confirmation_id
  LEFT JOIN payments_payment p ON p.channel = 'nontax' AND p.state = 'succeeded' AND p.channel_id <> ''
   AND p.channel_id IN (c.tra_no, c.channel_id) AND left(p.out_trade_no, 20) = c.pay_code
  LEFT JOIN payments_order o ON o.id = p.order_id
 WHERE coalesce(t.post_after, %(now)s) <= %(now)s AND (
       p.id IS NOT NULL OR EXISTS (SELECT 1 FROM ledger_entry e WHERE e.key = 'unknown:nontax:' || c.tra_no))
 ORDER BY c.id LIMIT %(limit)s
"""
_UNPOSTED_STATEMENTS = """
SELECT s.id FROM treasury_topost t JOIN treasury_statement s ON s.id = t.statement_id
 WHERE coalesce(t.post_after, %(now)s) <= %(now)s
 ORDER BY s.day, s.channel, s.id LIMIT %(limit)s
"""
#: What a statement moves, by the attempt that it is about; refunds take back.
_MOVED = """
SELECT coalesce(p.out_trade_no, q.out_trade_no, nullif(l.of_number, ''), l.of_id) AS reference,
       coalesce(p.fee_bearer, q.fee_bearer, %s) AS bearer,
       sum(CASE l.kind WHEN 'payment' THEN l.amount_fen WHEN 'refund' THEN -l.amount_fen ELSE 0 END)::bigint,
       (sum(l.fee_millifen) / 1000)::bigint
  FROM treasury_statementline l
  LEFT JOIN payments_payment p ON p.channel = l.channel AND l.of_id <> '' AND p.channel_id = l.of_id
  LEFT JOIN payments_refund r ON p.id IS NULL AND l.kind = 'refund' AND r.number = l.number
  LEFT JOIN payments_payment q ON q.id = r.payment_id AND q.channel = l.channel
 WHERE l.day = %s AND l.statement_id = %s AND l.status NOT IN ('FAIL', 'CHANGE')
 GROUP BY 1, 2
"""
_UNPOSTED_BREAKS = """
SELECT r.id FROM treasury_breakrow r
  LEFT JOIN ledger_entry u ON u.key = 'unknown:' || r.channel || ':'
       || CASE WHEN r.kind = ANY(%(at_treasury)s) THEN r.key ELSE r.channel_id END
 WHERE r.kind = ANY(%(kinds)s) AND coalesce(r.post_after, %(now)s) <= %(now)s
   AND r.posted_fen <> CASE WHEN r.state = 'signed' AND u.id IS NULL THEN r.fen ELSE 0 END
 ORDER BY r.id LIMIT %(limit)s
"""


def post_all() -> None:
    """One round of everything that is to be posted."""
    post_confirmations()
    post_settlements()
    post_breaks()


def post_confirmations() -> None:
    """Direct money that the finance office has confirmed has left the channel and reached the treasury."""
    for confirmation_id, number, order in _rows(_UNPOSTED_CONFIRMATIONS, _due()):
        rows = ToPost.objects.filter(confirmation=confirmation_id)
        _alone(rows, _post_confirmation, confirmation_id, number, order)


def _post_confirmation(confirmation_id: int, number: str | None, order: str | None) -> None:
    """`number` None: nobody of ours; it stands in the breaks' account under its code."""
    told = Confirmation.objects.get(id=confirmation_id)
    sides = [
        ledger.Posting(ledger.TREASURY, told.amount_fen, "nontax", order or told.pay_code),
        ledger.Posting(ledger.clearing("nontax"), -told.amount_fen, "nontax", number or told.pay_code),
    ]
    key, about = f"confirmed:{told.tra_no}", {"pay_code": told.pay_code, "tra_no": told.tra_no}
    ledger.post(WORKER, key, "confirmation", ledger.open_day(told.day), sides, about)
    ToPost.objects.filter(confirmation=told).delete()


def take_fees(actor: Actor, bearer: str, fen: int, slip: str, on: date) -> int:
    """Whoever bears the channels' fees has paid them into the collection account; what is left in fen.

    `slip` is the bank's number; the same again is the same. Raises BadInput `FEES_BEARER`, `FEES_SLIP`,
    `FEES_AMOUNT` for more than the fees that stand under the bearer, LEDGER_DAY; Refused `FEES_SLIP_USED`.
    """
    actor.require("city:ledger:post")
    if bearer not in payments.FEE_BEARERS:
        known = "、".join(payments.FEE_BEARERS)
        raise BadInput("FEES_BEARER", "没有这个手续费承担方。", found=bearer[:16], expected=known)
    slip = slip.strip()
    if not 0 < len(slip) <= _SLIP_LENGTH or not slip.isprintable():
        raise BadInput(
            "FEES_SLIP", "银行回单号不对。", found=slip[:40], expected=f"1 至 {_SLIP_LENGTH} 个字符"
        )
    with connection.cursor() as cursor:  # whichever bearer: a slip pays once
        cursor.execute(_ALONE)
    key = f"fees:{slip}"
    owed = ledger.balances_of(EVERYWHERE, bearer).get(ledger.FEES, 0)
    if before := ledger.entry_rows(EVERYWHERE).filter(key=key).first():
        paid = {(each.account, each.reference): each.fen for each in before.postings.all()}
        if paid.get((ledger.FEES, bearer)) == -fen:
            return owed
        said = "这张银行回单已经记过另一笔补足款。"
        raise Refused("FEES_SLIP_USED", said, found=slip, action="请核对回单号。")
    if type(fen) is not int or not 0 < fen <= owed:
        expected = f"¥0.01 至 {format_yuan(owed)}，即尚未补足的数" if owed > 0 else "手续费都补足了，不用再补"
        found = format_yuan(fen) if type(fen) is int else str(fen)[:20]
        raise BadInput("FEES_AMOUNT", "补足的手续费不对。", found=found, expected=expected)
    sides = [ledger.Posting(ledger.BANK, fen, "", key), ledger.Posting(ledger.FEES, -fen, "", bearer)]
    ledger.post(actor, key, "fees_paid", ledger.open_day(on), sides, {"slip": slip})
    record(actor, "fees.take", "ledger", slip, detail={"bearer": bearer, "amount_fen": fen})
    return owed - fen


def post_settlements() -> None:
    """What a channel has put into our account there, gross, and what it has kept of it as fees."""
    for (statement_id,) in _rows(_UNPOSTED_STATEMENTS, _due()):
        _alone(ToPost.objects.filter(statement=statement_id), _post_settlement, statement_id)


def _post_settlement(statement_id: int) -> None:
    """A later statement of the same day posts only what it says otherwise than the ones before, which may be
    nothing; one that a later one has followed counts no more."""
    statement = Statement.objects.get(id=statement_id)
    channel, day = statement.channel, statement.day
    ToPost.objects.filter(statement=statement).delete()
    later = Statement.objects.filter(channel=channel, kind=statement.kind, day=day, id__gt=statement_id)
    if later.filter(usable=True).exists():
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('treasury.settlement'), hashtext(%s))", [channel]
        )
    account = payments.account_of(channel)
    bearer = account.fee_bearer if account else "none"
    clearing, place = ledger.clearing(channel), f"{channel}:{day}"
    wanted: dict[tuple[str, str, str], int] = {}
    for reference, who, fen, fee in _rows(_MOVED, [bearer, day, statement_id]):
        for at, amount in (((clearing, channel, reference[:64]), -fen), ((ledger.FEES, channel, who), fee)):
            wanted[at] = wanted.get(at, 0) + amount
    before = ledger.sums_under(EVERYWHERE, f"settlement:{place}:")
    missing = _difference(wanted, {at: fen for at, fen in before.items() if at[0] != ledger.BANK})
    about = {"statement": statement_id, "day": day.isoformat()}
    gross = [(at, fen) for at, fen in missing.items() if at[0] == clearing]
    for turn, start in enumerate(range(0, len(gross), _POSTINGS)):
        key, some = f"settlement:{place}:{statement_id}:{turn}", dict(gross[start : start + _POSTINGS])
        _post(key, "settlement", day, some, (ledger.BANK, channel, place), about)
    fees = {at: fen for at, fen in missing.items() if at[0] == ledger.FEES}
    key = f"settlement:{place}:{statement_id}:fees"
    _post(key, "settlement_fees", day, fees, (ledger.BANK, channel, place), about)


def post_breaks() -> None:
    """A break that two people have signed stands in the breaks' account as long as it is signed."""
    wanted = {"at_treasury": [*b.AT_TREASURY], "kinds": [*b.AT_CHANNEL, *b.AT_TREASURY], **_due()}
    for (break_id,) in _rows(_UNPOSTED_BREAKS, wanted):
        _alone(BreakRow.objects.filter(id=break_id), _post_break, break_id)


def _post_break(break_id: int) -> None:
    row = BreakRow.objects.select_for_update().get(id=break_id)
    unknown = row.key if row.kind in b.AT_TREASURY else row.channel_id
    booked = ledger.is_posted(EVERYWHERE, f"unknown:{row.channel}:{unknown}")
    fen = row.fen if row.state == SIGNED and not booked else 0
    wanted: dict[tuple[str, str, str], int] = {}
    if fen:
        reference = _reference(row)
        account = ledger.TREASURY if row.kind in b.AT_TREASURY else ledger.clearing(row.channel)
        wanted = {(account, row.channel, reference): fen, (ledger.BREAKS, row.channel, reference): -fen}
    missing = _difference(wanted, ledger.sums_under(EVERYWHERE, f"break:{row.id}:"))
    about = {"break": row.id, "kind": row.kind, "key": row.key, "signed_by": row.signed_by}
    if missing:
        key = f"break:{row.id}:{row.posts + 1}"
        sides = [ledger.Posting(account, amount, *rest) for (account, *rest), amount in missing.items()]
        ledger.post(WORKER, key, "break", ledger.open_day(row.day), sides, about)
    BreakRow.objects.filter(id=row.id).update(
        posted_fen=fen, posts=row.posts + bool(missing), post_tries=0, post_after=None, post_problem=""
    )


def _reference(row: BreakRow) -> str:
    """The number under which settlement moves the same money."""
    if row.kind in b.AT_TREASURY:
        return row.key[:64]
    if row.kind in (b.REFUND_ONLY_OURS, b.REFUND_AMOUNT, b.REFUND_NOT_BOOKED):
        found = payments.refund_rows(EVERYWHERE).filter(number=row.key).select_related("payment").first()
        return found.payment.out_trade_no if found else row.key[:64]
    if row.kind in (b.SETTLE_MISSING, b.SETTLE_ONLY, b.SETTLE_AMOUNT):
        rows = payments.payment_rows(EVERYWHERE).filter(channel=row.channel, channel_id=row.channel_id)
        if number := rows.values_list("out_trade_no", flat=True).first():
            return str(number)
        line = StatementLine.objects.filter(channel=row.channel, of_id=row.channel_id).order_by("-id").first()
        return (line.of_number if line else row.number) or row.key[:64]
    if row.kind not in (b.ONLY_CHANNEL, b.CHARGED_TWICE, b.REFUND_ONLY_CHANNEL):
        return row.key[:64]
    line = StatementLine.objects.filter(key=row.key, channel=row.channel).order_by("-id").first()
    return (line.of_number if line else row.number) or row.key[:64]


def _difference(wanted: _Sums, standing: _Sums) -> dict[tuple[str, str, str], int]:
    """What is to be added so that `wanted` stands."""
    found = {at: wanted.get(at, 0) - standing.get(at, 0) for at in {**wanted, **standing}}
    return {at: fen for at, fen in sorted(found.items()) if fen}


def _post(
    key: str, kind: str, day: date, sides: _Sums, against: tuple[str, str, str], about: Mapping[str, object]
) -> None:
    """One entry of these sides and one against them; none where there is nothing to say."""
    if not sides:
        return
    postings = [ledger.Posting(account, fen, *rest) for (account, *rest), fen in sides.items()]
    if left := -sum(sides.values()):
        account, *rest = against
        postings.append(ledger.Posting(account, left, *rest))
    ledger.post(WORKER, key, kind, ledger.open_day(day), postings, about)


def _due() -> dict[str, Any]:
    return {"now": clock.now(), "limit": _AT_ONCE}


def _alone(waiting: QuerySet[Any], work: Callable[..., None], *about: object) -> None:
    """One that cannot be posted must not keep those behind it waiting, and is tried later and later."""
    try:
        with transaction.atomic():
            work(*about)
    except Exception as error:
        log.exception("treasury.post_broken", what=waiting.model.__name__, about=about[0])
        tries = waiting.values_list("post_tries", flat=True).first() or 0
        pause = timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(tries, 16), _LONGEST_PAUSE))
        waiting.update(
            post_tries=tries + 1, post_after=clock.now() + pause, post_problem=_problem(error)[:200]
        )


def _problem(error: Exception) -> str:
    """In the user's words, as far as there are any."""
    if isinstance(error, XuekaError):
        return " ".join(str(each) for each in (error.message, error.found, error.action) if each)
    return f"程序出错（{type(error).__name__}），已记入日志。"


def post_now(actor: Actor, kind: str, row_id: int) -> None:
    """Wait no longer with what could not be posted: the next sweep tries it. Needs `city:ledger:post`.

    `kind` and `row_id` are those of `Unposted`. Raises NotFound `POSTING_NOT_FOUND`: it has been posted, or
    was never in vain.
    """
    actor.require("city:ledger:post")
    rows: QuerySet[Any] = BreakRow.objects.all() if kind == BREAK_KIND else ToPost.objects.all()
    if kind not in (BREAK_KIND, TO_POST_KIND) or not rows.filter(id=row_id, post_tries__gt=0).update(
        post_after=clock.now()
    ):
        raise NotFound("POSTING_NOT_FOUND", "这一笔已经入账，或不在未入账之列。", action="请刷新页面。")
    record(actor, "posting.again", kind, row_id)


def _rows(statement: str, values: Any) -> Iterable[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())

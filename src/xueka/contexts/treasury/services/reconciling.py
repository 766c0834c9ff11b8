"""Reconciliation of some days: four sides compared, breaks kept from run to run."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection

from xueka.contexts.treasury.adapters.set_matching import Sides
from xueka.contexts.treasury.domain import breaks as b
from xueka.contexts.treasury.domain.breaks import Break
from xueka.contexts.treasury.domain.transitions import BREAK, GONE
from xueka.contexts.treasury.models import BreakRow, Run
from xueka.contexts.treasury.services.finding import Found, find
from xueka.contexts.treasury.services.posting import WORKER
from xueka.contexts.treasury.services.settled import contradictions, payback_breaks, settlement_breaks
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

LONGEST_DAYS = 62
_DAY = "(success_at AT TIME ZONE 'Asia/Shanghai')::date"
#: Of direct money the channel's number is known by the confirmation alone; ours is finance's business number.
_OURS = """
SELECT p.channel, 'payment' AS kind,
       CASE WHEN p.channel = 'nontax' AND p.state = 'succeeded' THEN coalesce(f.channel_id, '')
            ELSE p.channel_id END AS id, p.out_trade_no AS number, o.number AS "order",
       coalesce(p.received_fen, p.amount_fen) AS fen,
       coalesce((p.success_at AT TIME ZONE 'Asia/Shanghai')::date,
                (p.created_at AT TIME ZONE 'Asia/Shanghai')::date) AS day,
       CASE WHEN p.state = 'succeeded' THEN 'succeeded' WHEN p.state IN ('failed', 'closed') THEN 'ended'
            ELSE 'waiting' END AS state,
       p.settlement, CASE WHEN p.channel = 'nontax' THEN left(p.out_trade_no, 20) ELSE '' END AS pay_code,
       p.asked_id <> '' AS second
  FROM payments_payment p JOIN payments_order o ON o.id = p.order_id
  LEFT JOIN treasury_confirmation f ON p.channel = 'nontax' AND p.channel_id <> '' AND f.tra_no = p.channel_id
UNION ALL
SELECT p.channel, 'refund', r.number, r.number, o.number, r.amount_fen,
       coalesce((r.success_at AT TIME ZONE 'Asia/Shanghai')::date,
                (r.asked_at AT TIME ZONE 'Asia/Shanghai')::date),
       CASE r.state WHEN 'succeeded' THEN 'succeeded' WHEN 'failed' THEN 'ended' ELSE 'waiting' END,
       p.settlement, '', false
  FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
  JOIN payments_order o ON o.id = r.order_id
 WHERE r.way = 'channel'
"""
_THEIRS = """
SELECT l.channel, l.kind, l.key AS id, l.number, l.amount_fen AS fen, l.day, l.id AS place
  FROM treasury_statementline l
 WHERE l.statement_id IN (SELECT max(s.id) FROM treasury_statement s WHERE s.usable AND s.kind = 'trade'
                           GROUP BY s.channel, s.day)
   AND l.status NOT IN ('FAIL', 'CHANGE')
"""
_CONFIRMED = "SELECT pay_code, tra_no, channel_id AS id, amount_fen AS fen, day FROM treasury_confirmation"
#: What a person has put in the place of a usable statement, and the channel itself has not given.
_REPLACED = """
SELECT u.channel, u.kind, u.day, u.by, u.id, o.rows, o.amount_fen, o.refund_fen,
       u.rows, u.amount_fen, u.refund_fen
  FROM (SELECT DISTINCT ON (channel, kind, day) * FROM treasury_statement
         WHERE usable AND day BETWEEN %s AND %s ORDER BY channel, kind, day, id DESC) u
  JOIN LATERAL (SELECT * FROM treasury_statement s
                 WHERE s.usable AND (s.channel, s.kind, s.day) = (u.channel, u.kind, u.day)
                   AND s.id < u.id AND s.sm3 <> u.sm3 ORDER BY s.id DESC LIMIT 1) o ON true
 WHERE NOT EXISTS (SELECT 1 FROM treasury_statement s
                    WHERE (s.channel, s.kind, s.day, s.sm3) = (u.channel, u.kind, u.day, u.sm3)
                      AND s.by = %s)
 ORDER BY 1, 2, 3
"""
#: Money under a number that we never gave is in the books already, as unknown: it is a break of the channel.
_BOOKED = """
SELECT g.channel, CASE e.kind WHEN 'payment' THEN 'payment' ELSE 'refund' END AS kind,
       CASE e.kind WHEN 'payment' THEN g.reference ELSE split_part(e.key, ':', 2) END AS number,
       (CASE e.kind WHEN 'payment' THEN g.fen ELSE -g.fen END) AS fen, e.on AS day
  FROM ledger_posting g JOIN ledger_entry e ON e.id = g.entry_id
 WHERE e.kind IN ('payment', 'refund_done') AND g.account LIKE 'clearing.%%'
"""
SIDES = Sides(_OURS, _THEIRS, _CONFIRMED, _BOOKED)


class Result(NamedTuple):
    """A run: what was compared and what stands open in its days."""

    run: Run
    orders: int
    matched: int
    breaks: list[Break]


def reconcile(actor: Actor, first: date, last: date) -> Result:
    """Compare our payments and refunds of these days with channels, finance office and books.

    A break that is seen again keeps its age, explanation and sign-off; one whose amount or words are others
    is open again; one that is seen no more is gone. Raises BadInput `RECONCILE_DAYS`.
    """
    actor.require("city:reconciliation:run")
    if not 0 <= (last - first).days < LONGEST_DAYS or last >= clock.today():
        raise BadInput(
            "RECONCILE_DAYS",
            "对账的日期不对。",
            found=f"{first} 至 {last}",
            expected=f"至多 {LONGEST_DAYS} 天，到昨天为止",
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('treasury.reconcile'))")
    at = clock.now()  # before the first read: what comes later was not seen
    covered, days = _statements(first, last)
    found = find(SIDES, first, last, covered, last)
    money = [*settlement_breaks(first, last), *payback_breaks(first, last), *contradictions(first, last)]
    breaks = sorted([*found.breaks, *days, *_replaced(first, last), *money])
    run = _keep_run(actor, first, last, found, breaks, at)
    _keep_breaks(actor, run, breaks)
    detail = {"first": str(first), "last": str(last), "breaks": len(breaks), "digest": run.digest}
    record(actor, "reconciliation.run", "reconciliation", str(run.id), detail=detail)
    return Result(run, found.orders, found.matched, breaks)


def _statements(first: date, last: date) -> tuple[set[tuple[str, date]], list[Break]]:
    """Days of which we have a usable statement; those on which we have money and none are breaks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT channel, day, bool_or(usable) FROM treasury_statement WHERE kind = 'trade'"
            " AND day BETWEEN %s AND %s GROUP BY 1, 2",
            [first, last],
        )
        have = {(channel, day): usable for channel, day, usable in cursor.fetchall()}
        cursor.execute(
            f"SELECT channel, {_DAY} AS day, sum(received_fen) FROM payments_payment"  # noqa: S608
            f" WHERE state = 'succeeded' AND settlement = 'merchant' AND {_DAY} BETWEEN %s AND %s"
            " GROUP BY 1, 2",
            [first, last],
        )
        moved = {(channel, day): int(fen) for channel, day, fen in cursor.fetchall()}
    wrong = {place for place, usable in have.items() if not usable}
    lacking = dict.fromkeys(moved.keys() - have.keys(), b.STATEMENT_MISSING)
    lacking |= dict.fromkeys(wrong, b.STATEMENT_WRONG)
    found = [
        Break(kind, channel, f"{channel} {day}", day.isoformat(), -moved.get((channel, day), 0))
        for (channel, day), kind in sorted(lacking.items())
    ]
    # A non-tax statement is of WeChat alone: that it lacks a line says nothing, the confirmation does.
    return {place for place, usable in have.items() if usable and place[0] != "nontax"}, found


def _replaced(first: date, last: date) -> list[Break]:
    """A later statement counts: where a person brought it, two people look at what it changes."""
    with connection.cursor() as cursor:
        cursor.execute(_REPLACED, [first, last, WORKER.username])
        rows = cursor.fetchall()
    found = []
    for channel, kind, day, by, statement, *sums in rows:
        before, now = (f"{n} 笔，收 {fen} 分，退 {back} 分" for n, fen, back in (sums[:3], sums[3:]))
        said = f"{by} 上传：原 {before}；现 {now}"[:200]
        place = f"{channel} {kind} {day}"
        found.append(
            Break(b.STATEMENT_REPLACED, channel, place, day.isoformat(), 0, str(statement), "", said)
        )
    return found


def _keep_run(
    actor: Actor, first: date, last: date, found: Found, breaks: Sequence[Break], at: datetime
) -> Run:
    whole = json.dumps([found.orders, found.matched, breaks], ensure_ascii=False, separators=(",", ":"))
    return Run.objects.create(
        first=first,
        last=last,
        orders=found.orders,
        matched=found.matched,
        breaks=len(breaks),
        surplus_fen=sum(each.fen for each in breaks if each.fen > 0),
        shortage_fen=sum(each.fen for each in breaks if each.fen < 0),
        digest=hashlib.sha256(whole.encode()).hexdigest(),
        at=at,
        by=actor.username,
    )


def _keep_breaks(actor: Actor, run: Run, breaks: Sequence[Break]) -> None:
    seen = {(each.kind, each.channel, each.key): each for each in breaks}
    rows = BreakRow.objects.exclude(state=GONE).select_for_update().order_by("id")
    before = {
        (row.kind, row.channel, row.key): row
        for row in rows
        if (row.kind, row.channel, row.key) in seen or run.first <= row.day <= run.last
    }
    changed: list[tuple[BreakRow, Break]] = []
    same: list[tuple[BreakRow, Break]] = []
    for place, row in before.items():
        if place in seen:
            now = seen[place]
            told = (row.fen, row.day.isoformat(), row.number, row.channel_id, row.detail)
            said = (now.fen, now.day, now.number, now.channel_id, now.detail)
            (same if told == said else changed).append((row, now))
    BreakRow.objects.filter(id__in=[row.id for row, _ in same]).update(last_run=run)
    apply(BREAK, BreakRow, [row.id for row, _ in changed], "change", actor)
    for row, now in changed:
        BreakRow.objects.filter(id=row.id).update(
            fen=now.fen, day=now.day, number=now.number, channel_id=now.channel_id, detail=now.detail,
            explanation="", explained_by="", signed_by="", last_run=run,
        )  # fmt: skip
    apply(BREAK, BreakRow, [row.id for place, row in before.items() if place not in seen], "vanish", actor)
    fresh = [
        BreakRow(
            **each._asdict(),
            state=BREAK.initial,
            state_at=run.at,
            since=run.at,
            first_run=run,
            last_run=run,
        )
        for place, each in seen.items()
        if place not in before
    ]
    made = BreakRow.objects.bulk_create(fresh, batch_size=2000)
    begin(BREAK, [row.id for row in made], actor)


def assign(actor: Actor, break_id: int, owner: str) -> None:
    """Who looks after it."""
    actor.require("city:reconciliation:explain")
    row = _locked(actor, break_id)
    BreakRow.objects.filter(id=row.id).update(owner=owner[:80])
    record(actor, "break.assign", "break", str(break_id), detail={"owner": owner[:80]})


def explain(actor: Actor, break_id: int, text: str) -> None:
    """Say why it is there. Raises BadInput `REASON_MISSING`, Refused where it is signed or gone."""
    actor.require("city:reconciliation:explain")
    if not text.strip():
        raise BadInput("REASON_MISSING", "请写明差错的原因。")
    row = _locked(actor, break_id)
    apply(BREAK, BreakRow, [row.id], "explain", actor, reason=text.strip()[:200])
    BreakRow.objects.filter(id=row.id).update(
        explanation=text.strip()[:200], explained_by=actor.username, signed_by=""
    )
    record(actor, "break.explain", "break", str(break_id), detail={"text": text.strip()[:200]})


def sign_off(actor: Actor, break_id: int, seen: str | None = None) -> None:
    """A second person agrees, to what stood under the mark that she has `seen`.

    Raises Refused `SECOND_PERSON`, `BREAK_CHANGED` where it is another by now, or where it is not explained.
    """
    actor.require("city:reconciliation:sign")
    row = _locked(actor, break_id)
    BREAK.target("sign", row.state)
    second_person(
        actor, row.explained_by, "您自己说明的差错须由另一人签认。", action="请通知另一位财务人员。"
    )
    if seen is not None and seen != row.mark:
        raise Refused(
            "BREAK_CHANGED",
            "您看过以后，这项差错或它的说明又改过，没有签认。",
            found=row.explanation,
            action="请重新看过再签认。",
        )
    BreakRow.objects.filter(id=row.id).update(signed_by=actor.username)
    apply(BREAK, BreakRow, [row.id], "sign", actor)
    record(actor, "break.sign", "break", str(break_id))


def _locked(actor: Actor, break_id: int) -> BreakRow:
    found = BreakRow.objects.visible_to(actor.scope).select_for_update(of=("self",)).filter(id=break_id)
    row = found.first()
    if row is None:
        raise NotFound("BREAK_NOT_FOUND", "没有这项对账差错。", found=break_id)
    return row

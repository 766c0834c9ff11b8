"""Statements and confirmations are asked for until they are here (docs/interfaces/statements.md §6).

Each day of each channel is a row before anybody is asked; the channel is spoken with outside of any
transaction. May be killed or run twice at any point.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Min

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.models import Fetch, Statement
from xueka.contexts.treasury.services.posting import WORKER
from xueka.contexts.treasury.services.taking import (
    FORMS,
    moment_of,
    take_confirmation,
    take_payback,
    take_statement,
)
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.kernel.money import parse_yuan
from xueka.platform.identity.scope import EVERYWHERE

log = structlog.get_logger("xueka.treasury")

CONFIRM = "confirm"
#: What is asked of each channel; `confirm` is asked of the finance office.
KINDS = (*FORMS, ("nontax", CONFIRM))
#: When a channel has the statement of the day before.
_READY, _READY_NONTAX = time(10), time(6)
_AGAIN, _SELDOM = timedelta(minutes=30), timedelta(hours=6)
_OFTEN = 48
"""After so many tries (a day) it is asked for seldom; finance sees it as missing long before."""
_OLDEST_DAYS = 89
"""Channels keep statements for three months."""
_PAID_BACK = """
SELECT DISTINCT (p.success_at AT TIME ZONE 'Asia/Shanghai')::date
  FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id AND p.channel = 'nontax'
  LEFT JOIN treasury_paybacktold t ON t.tra_no = p.channel_id
  LEFT JOIN treasury_fetch f ON f.kind = 'confirm'
   AND f.day = (p.success_at AT TIME ZONE 'Asia/Shanghai')::date
 WHERE r.way = 'payback' AND r.state = 'succeeded' AND (t.id IS NULL OR t.told_at <= r.success_at)
   AND (f.id IS NULL OR f.done_at <= r.success_at)
"""
_NAMES = {"fund": "fundflow"}  # as the channels' port calls them


def fetch_due(limit: int = 100) -> int:
    """Put every closed day on the list, and ask for what is due. Returns how many were asked for."""
    with transaction.atomic():
        _plan()
        _urge_paybacks()
    rows = Fetch.objects.filter(done_at=None, next_try_at__lte=clock.now()).order_by("next_try_at", "id")
    ids = list(rows.values_list("id", flat=True)[:limit])
    for fetch_id in ids:
        fetch(fetch_id)
    return len(ids)


def _plan() -> None:
    yesterday = clock.today() - timedelta(days=1)
    ours = [channel for channel in payments.CHANNELS if payments.account_of(channel)]
    first = {channel: _first_day(channel, yesterday) for channel in ours}
    for channel, kind in KINDS:
        if channel not in first:
            continue
        since = max(first[channel], clock.today() - timedelta(days=_OLDEST_DAYS))
        days = {since + timedelta(days=n) for n in range((yesterday - since).days + 1)}
        days -= set(
            Fetch.objects.filter(channel=channel, kind=kind, day__gte=since).values_list("day", flat=True)
        )
        fresh = [
            Fetch(channel=channel, kind=kind, day=day, next_try_at=ready(channel, day))
            for day in sorted(days)
        ]
        Fetch.objects.bulk_create(fresh, ignore_conflicts=True)


def _first_day(channel: str, yesterday: date) -> date:
    """The Monday from which on statements are asked for. All payments are read only where none is yet."""
    asked = Fetch.objects.filter(channel=channel, kind="trade").aggregate(first=Min("day"))["first"]
    if asked:
        return asked  # type: ignore[no-any-return]
    rows = payments.payment_rows(EVERYWHERE).filter(channel=channel)
    first = rows.aggregate(first=Min("created_at"))["first"]
    since = min(clock.local(first).date(), yesterday) if first else yesterday
    return since - timedelta(days=since.weekday())  # a week is closed whole, also the first one of an account


def _urge_paybacks() -> None:
    """Days whose payments were paid back since the finance office was asked: it is to say so as well."""
    with connection.cursor() as cursor:
        cursor.execute(_PAID_BACK)
        days = [day for (day,) in cursor.fetchall()]
    for day in days:
        urge(day)


def urge(day: date) -> None:
    """Ask the finance office now what it has confirmed on a day."""
    urged = {"next_try_at": clock.now(), "done_at": None}
    Fetch.objects.update_or_create(channel="nontax", kind=CONFIRM, day=day, defaults=urged)


def ready(channel: str, day: date) -> datetime:
    """From when on a channel has the statement of a day."""
    at = _READY_NONTAX if channel == "nontax" else _READY
    return datetime.combine(day + timedelta(days=1), at, clock.SHANGHAI)


def fetch(fetch_id: int) -> None:
    """Ask once for one of them; what does not come is asked for again in half an hour."""
    row = Fetch.objects.get(id=fetch_id)
    try:
        wrong = _confirmations(row) if row.kind == CONFIRM else _statement(row)
    except XuekaError as error:
        wrong = error.message
    except Exception:
        log.exception("treasury.fetch_broken", channel=row.channel, kind=row.kind, day=str(row.day))
        wrong = "取回时出现意外错误，稍后再试；一直如此的，请通知运维查看日志。"
    now = clock.now()
    again = now + (_AGAIN if row.tries < _OFTEN else _SELDOM)
    if not wrong:
        again = ready(row.channel, row.day)  # a day that is not over is asked for when it is
    is_done = not wrong and again <= now
    Fetch.objects.filter(id=fetch_id).update(
        tries=row.tries + 1,
        last_error=wrong[:300],
        done_at=now if is_done else None,
        next_try_at=None if is_done else again,
    )


def _statement(row: Fetch) -> str:
    """What is wrong with it; empty: it is here, or was brought by hand."""
    known = Statement.objects.filter(channel=row.channel, kind=row.kind, day=row.day, usable=True)
    if known.exists():
        return ""
    raw = payments.statement(row.channel, row.day, _NAMES.get(row.kind, row.kind))
    with transaction.atomic():
        taken = take_statement(WORKER, row.channel, row.kind, row.day, raw or b"")
    if taken.usable:
        return ""
    return "账单有误：" + str(taken.errors[0].get("message", "")) if taken.errors else "账单有误。"


def _confirmations(row: Fetch) -> str:
    wrong = ""
    for voucher in payments.confirmed_on(row.day):
        try:
            with transaction.atomic():
                take_payback(voucher)
                take_confirmation(WORKER, voucher, "")
        except XuekaError as error:  # one that cannot be read keeps no other one out
            wrong = error.message
    return wrong


def hear_confirmation(msg_id: str, voucher: Mapping[str, str]) -> None:
    """A confirmation that was pushed (5996), verified by the caller.

    Kept where it says of one of our codes what we expect; anything else, and what contradicts a confirmation
    that we have, is asked of the finance office, whose answer is right where its messages are not (nontax.md
    §12).
    """
    code, amount = voucher.get("PayCode", ""), parse_yuan(voucher.get("Amt", ""))
    rows = payments.payment_rows(EVERYWHERE).filter(channel="nontax", out_trade_no=code)
    due = rows.values_list("amount_fen", flat=True).first()
    with transaction.atomic():
        if due == amount:
            kept = take_confirmation(WORKER, voucher, msg_id)
            if (kept.pay_code, kept.amount_fen) == (code, amount):
                return
        urge(moment_of(voucher).date())

"""Writing the books."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max
from psycopg.types.json import Jsonb

from xueka.contexts.ledger.domain import entries as rules
from xueka.contexts.ledger.models import Closing, Entry, Posting
from xueka.contexts.ledger.queries import balances
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

_POST, _CLOSE = "city:ledger:post", "city:ledger:close"


def post(
    actor: Actor,
    key: str,
    kind: str,
    on: date,
    postings: Sequence[rules.Posting],
    about: Mapping[str, Any],
) -> Entry:
    """Write one entry, or find the same one written before under this key.

    Whoever comes second with one key waits for the first to commit. Raises what `domain.entries.check`
    raises, Refused `LEDGER_KEY_REUSED` where the key stands for another content, Refused
    `LEDGER_PERIOD_CLOSED`, BadInput `LEDGER_DAY` for a day that has not come. `about` holds no personal data.
    """
    actor.require(_POST)
    rules.check(key, postings)
    if on > clock.today():
        raise BadInput("LEDGER_DAY", "不能记未来日期的账。", found=on, expected=f"{clock.today()} 或更早")
    digest = rules.digest(kind, on, postings, about)
    made = _insert(actor, key, kind, on, about, digest)
    if made is None:
        found = Entry.objects.get(key=key)
        if found.digest != digest:
            raise Refused(
                "LEDGER_KEY_REUSED",
                "这个唯一键已经记过另一笔分录。",
                found=key,
                action="内容不同的分录要用不同的唯一键；改正须另记冲正分录。",
            )
        return found
    Posting.objects.bulk_create(
        Posting(
            entry_id=made,
            line=line,
            account=each.account,
            fen=each.fen,
            channel=each.channel,
            reference=each.reference,
        )
        for line, each in enumerate(postings, start=1)
    )
    return Entry.objects.get(id=made)


def open_day(day: date) -> date:
    """The day in the books of an event on `day`: that day, or the first one that is still open."""
    last = Closing.objects.aggregate(last=Max("until"))["last"]
    day = min(day, clock.today())
    return day if last is None or day > last else last + timedelta(days=1)


def close_period(actor: Actor, until: date) -> Closing:
    """Close the books up to and including `until`; it is never undone.

    Raises Refused `LEDGER_PERIOD_OPEN` for today and later, `LEDGER_PERIOD_CLOSED` where it is closed.
    """
    actor.require(_CLOSE)
    if until >= clock.today():
        raise Refused(
            "LEDGER_PERIOD_OPEN", "当天还没有过完，不能结账。", found=until, expected="今天以前的日期"
        )
    with connection.cursor() as cursor:  # as the database's own guard: whoever is posting ends first
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('ledger_period'), 0)")
    last = Closing.objects.aggregate(last=Max("until"))["last"]
    if last is not None and last >= until:
        raise Refused(
            "LEDGER_PERIOD_CLOSED", f"已经结账到 {last}。", found=until, expected=f"{last} 以后的日期"
        )
    made = Closing.objects.create(
        until=until, totals=balances(actor.scope, until), at=clock.now(), by=actor.username
    )
    record(actor, "ledger.close", "ledger", until.isoformat(), detail={"totals": made.totals})
    return made


def _insert(actor: Actor, key: str, kind: str, on: date, about: Mapping[str, Any], digest: str) -> int | None:
    """The id of the new entry; None where the key stands already, also where it came meanwhile.

    The lock is that of the database's own guard (migration 0002): nobody closes the period in between.
    """
    values: list[Any] = [key, kind, on, Jsonb(dict(about)), digest, clock.now(), actor.username]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext('ledger_period'), 0)")
        if Closing.objects.filter(until__gte=on).exists():
            if Entry.objects.filter(key=key).exists():
                return None
            raise Refused(
                "LEDGER_PERIOD_CLOSED",
                f"{on} 已经结账，不能再记账。",
                found=on,
                action="请记在未结账的日期，并在说明里写明所属期间。",
            )
        cursor.execute(
            'INSERT INTO ledger_entry (key, kind, "on", about, digest, at, by, transaction)'
            " VALUES (%s, %s, %s, %s, %s, %s, %s, 0) ON CONFLICT (key) DO NOTHING RETURNING id",
            values,
        )
        row = cursor.fetchone()
    return row[0] if row else None

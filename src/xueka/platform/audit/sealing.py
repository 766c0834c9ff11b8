"""Sealing the audit log into a chain (docs/adr/0011).

Business transactions only insert entries; a trigger puts each on the sealer's work list. One sealer at a
time gives the listed entries the next numbers of the chain and digests that build on each other, then writes
the head outside the database. Numbers follow the order of sealing, so an entry that commits late is simply
sealed late.
"""

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from xueka.kernel.errors import Conflict
from xueka.platform.audit import canonical, head, services
from xueka.platform.audit.head import Head
from xueka.platform.identity.actor import Actor

BATCH = 5_000
_LOCK = 0x58_55_41_55_44_49_54  # advisory lock "XUAUDIT": held while sealing
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


def seal(limit: int | None = None) -> int:
    """Chain the entries that wait (at most `limit`); returns how many. 0 at once if somebody else is sealing.

    Opens its own transactions, and must not run inside one: the head may only name what is committed.
    A chain that contradicts its head is left as it is, with an error in the log on every call, so that the
    next seal does not paper over what was cut or rewritten; `verify` says what is wrong.
    """
    total = 0
    while limit is None or total < limit:
        # The lock is let go between batches, so that nobody who wants to look waits for a long backlog.
        size = BATCH if limit is None else min(BATCH, limit - total)
        with _sealing(wait=total > 0) as mine:
            count = _seal_some(size) if mine else 0
        total += count
        if count < size:
            break
    return total


def adopt(actor: Actor, reason: str) -> Head | None:
    """Accept the database's last seal as the head, after a restore from backup; an entry says who and why."""
    with _sealing(wait=True):
        found, last = stored_head(), last_seal()
        with transaction.atomic(durable=True):
            services.record(
                actor,
                "audit.adopt_head",
                "audit",
                last.seq if last else 0,
                detail={"reason": reason, "head": found.as_dict() if isinstance(found, Head) else found},
            )
        if last:
            head.write(last)
        else:
            head.path().unlink(missing_ok=True)
    return last


def stored_head() -> Head | str | None:
    """The head outside the database; None before the first seal."""
    try:
        return head.read()
    except ValueError:
        return "unreadable"


def last_seal() -> Head | None:
    """The last link in the database."""
    return _links("ORDER BY seq DESC LIMIT 1", [])


def contradiction(found: Head | str | None, last: Head | None) -> str | None:
    """What is wrong between the head outside and the last link inside; None if they agree.

    The head may be one act of sealing behind, because it is written after the commit.
    """
    if isinstance(found, str):
        return "head_unreadable"
    if last is None:
        return None if found is None else "truncated"
    if found is None:
        return None if _is_one_act(1) else "head_missing"
    if found.seq > last.seq:
        return "truncated"
    inside = _links("WHERE seq = %s", [found.seq])
    if inside is None or inside.digest != found.digest:
        return "head_differs"
    return None if found.seq == last.seq or _is_one_act(found.seq + 1) else "head_behind"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nobody seals inside this block."""
    with _sealing(wait=True):
        yield


# --- inside ---


@contextlib.contextmanager
def _sealing(*, wait: bool) -> Iterator[bool]:
    """Be the only sealer inside this block; yields False if somebody else is and we do not wait."""
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT true FROM (SELECT pg_advisory_lock(%s)) AS held", [_LOCK])
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _seal_some(size: int) -> int:
    """One act of sealing, if head and database agree; the caller holds the lock."""
    found, last = stored_head(), last_seal()
    if wrong := contradiction(found, last):
        log.error("audit chain: %s; sealing has stopped, see `xueka audit verify`", wrong)
        return 0
    if last and found != last:
        head.write(last)  # a crash had kept it from being written
    with transaction.atomic(durable=True):
        count, made = _seal_batch(last, size)
    if made and count:
        head.write(made)
    return count


def _seal_batch(last: Head | None, size: int) -> tuple[int, Head | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {canonical.columns("e")}
              FROM audit_unsealed u JOIN audit_entry e ON e.id = u.entry_id
             ORDER BY u.entry_id LIMIT %s
            """,  # noqa: S608
            [size],
        )
        entries = cursor.fetchall()
        if not entries:
            return 0, last
        cursor.execute(f"SELECT {canonical.microseconds('clock_timestamp()')}")
        (now,) = cursor.fetchone()
        # No two acts of sealing share their time: the head's lag is counted in acts.
        sealed_at = max(now, _to_microseconds(last.at) + 1) if last else now
        first = last.seq + 1 if last else 1
        digest = last.digest if last else canonical.GENESIS
        digests = []
        for seq, entry in enumerate(entries, start=first):
            digest = canonical.digest(digest, seq, sealed_at, entry)
            digests.append(digest)
        ids = [entry[0] for entry in entries]
        moment = _EPOCH + timedelta(microseconds=sealed_at)
        cursor.execute(
            """
            INSERT INTO audit_seal (seq, entry_id, digest, sealed_at)
            SELECT %s + s.place - 1, s.entry_id, s.digest, %s
              FROM unnest(%s::bigint[], %s::bytea[]) WITH ORDINALITY AS s(entry_id, digest, place)
            """,
            [first, moment, ids, digests],
        )
        cursor.execute("DELETE FROM audit_unsealed WHERE entry_id = ANY(%s)", [ids])
        if cursor.rowcount != len(ids):
            raise Conflict("AUDIT_WORK_LIST_CHANGED", "封存期间待封存清单被改动。", action="请重试。")
    return len(ids), Head(first + len(ids) - 1, digest, moment)


def _links(condition: str, values: list[int]) -> Head | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT seq, digest, sealed_at FROM audit_seal {condition}", values)  # noqa: S608
        row = cursor.fetchone()
    return Head(row[0], bytes(row[1]), row[2]) if row else None


def _is_one_act(first: int) -> bool:
    """Whether the links from `first` on were all made by one act of sealing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT sealed_at FROM audit_seal WHERE seq >= %s ORDER BY seq LIMIT 1)
                 = (SELECT sealed_at FROM audit_seal ORDER BY seq DESC LIMIT 1)
            """,
            [first],
        )
        return bool(cursor.fetchone()[0])


def _to_microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

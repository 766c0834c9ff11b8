"""What every call of the partner interface leaves: a count against the limit, a line, a remembered answer."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from xueka.contexts.multiapp.domain.interface import REPORT, check_idempotency_key
from xueka.contexts.multiapp.models import ApiCall, CallCount, CallDay, Credential, RememberedAnswer, Report
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Refused, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.crypto.sm3 import hexdigest
from xueka.platform.identity.actor import Actor

ANSWERS_KEPT = timedelta(days=2)
COUNTS_KEPT = timedelta(hours=1)


class TooMany(XuekaError):
    """The limit of this minute is used up; `seconds` until the next one."""

    def __init__(self, limit: int, seconds: int) -> None:
        super().__init__(
            "TOO_MANY",
            "请求过于频繁。",
            expected=f"每分钟最多 {limit} 次",
            action=f"请在 {seconds} 秒后再试。",
        )
        self.seconds = seconds


def count(name: str, limit: int) -> int:
    """Count one call of this minute; returns how many are left. Raises TooMany.

    One row for all processes, so that two web servers do not give twice the limit. Outside a transaction: the
    count stands whatever becomes of the call.
    """
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO multiapp_callcount AS known (name, minute, count) VALUES (%s, %s, 1)
               ON CONFLICT (name, minute) DO UPDATE SET count = known.count + 1 RETURNING count""",
            [name[:80], now.replace(second=0, microsecond=0)],
        )
        (used,) = cursor.fetchone()
    if used > limit:
        raise TooMany(limit, 60 - now.second)
    return limit - int(used)


def shut(name: str, limit: int) -> None:
    """Wait for whoever is counting under this name, and raise TooMany where this minute's limit is used up.

    Until the caller's transaction ends nobody else gets past here: what is decided by the answer and what is
    counted next are one step.
    """
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name[:80]])
    found = CallCount.objects.filter(name=name[:80], minute=now.replace(second=0, microsecond=0)).first()
    if found is not None and found.count >= limit:
        raise TooMany(limit, 60 - now.second)


def note(
    credential: Credential,
    what: str,
    status: int,
    *,
    outcome: str = "",
    card: int | None = None,
    address: str = "",
) -> None:
    """One line for one call."""
    ApiCall.objects.create(
        at=clock.now(),
        credential=credential,
        what=what,
        status=status,
        outcome=outcome[:32],
        card_id=card,
        address=address[:64],
    )


def once(
    credential: Credential, key: str, request: bytes, answer: Callable[[], Mapping[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """The answer to a POST, made once for an idempotency key; `True` where it is a repetition.

    `request` is method, path and body. Raises Conflict `IDEMPOTENCY_KEY_USED` where the key came with another
    request. Of two at once the second waits for the first.
    """
    check_idempotency_key(key)
    print_ = sm3(request)
    with transaction.atomic():
        made, fresh = RememberedAnswer.objects.get_or_create(
            credential=credential,
            key=key,
            defaults={"request": print_, "status": 200, "body": {}, "at": clock.now()},
        )
        if not fresh:
            if bytes(made.request) != print_:
                raise Conflict(
                    "IDEMPOTENCY_KEY_USED",
                    "这个 Idempotency-Key 已用于另一个请求。",
                    where="Idempotency-Key",
                    found=key,
                    action="新的请求请用新的 Idempotency-Key。",
                )
            return dict(made.body), True
        body = dict(answer())
        made.body = body
        made.save(update_fields=["body"])
        return body, False


def sum_up(actor: Actor) -> int:
    """Sum up every finished day that has calls and no sum yet, one entry in the audit log for each; how many.

    The digest is over the day's lines, so that a line taken away later shows (invariant).
    """
    today = clock.today()
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT a.credential_id, (a.at AT TIME ZONE 'Asia/Shanghai')::date AS day
                 FROM multiapp_apicall a
                WHERE a.at < %s AND a.at >= %s AND NOT EXISTS (
                      SELECT 1 FROM multiapp_callday d WHERE d.credential_id = a.credential_id
                         AND d.day = (a.at AT TIME ZONE 'Asia/Shanghai')::date)
                ORDER BY 2, 1""",
            [_midnight(today), _midnight(today) - timedelta(days=settings.PARTNER_CALLS_DAYS)],
        )
        due = cursor.fetchall()
    for credential_id, day in due:
        _sum_up_day(actor, credential_id, day)
    return len(due)


def forget(actor: Actor) -> int:
    """Delete counts, remembered answers and lines whose time is over; returns how many lines."""
    now = clock.now()
    CallCount.objects.filter(minute__lt=now - COUNTS_KEPT).delete()
    RememberedAnswer.objects.filter(at__lt=now - ANSWERS_KEPT).delete()
    limit = _midnight(clock.today()) - timedelta(days=settings.PARTNER_CALLS_DAYS)
    gone, _ = ApiCall.objects.filter(at__lt=limit).delete()
    if gone:
        record(actor, "partner_calls.forget", "partner_calls", "", detail={"lines": gone})
    return gone


def day_digest(credential_id: int, day: date) -> tuple[int, dict[str, int], str]:
    """(calls, counts by what and outcome, SM3) of a credential's day."""
    rows = ApiCall.objects.filter(
        credential_id=credential_id, at__gte=_midnight(day), at__lt=_midnight(day + timedelta(days=1))
    ).order_by("id")
    counts: dict[str, int] = {}
    lines = []
    for each in rows.iterator():
        name = f"{each.what} {each.outcome or each.status}"
        counts[name] = counts.get(name, 0) + 1
        lines.append(f"{each.id} {each.what} {each.status} {each.outcome} {each.card_id or ''}\n")
    return len(lines), counts, hexdigest("".join(lines).encode())


def _sum_up_day(actor: Actor, credential_id: int, day: date) -> None:
    calls, counts, digest = day_digest(credential_id, day)
    made = CallDay.objects.create(
        credential_id=credential_id, day=day, calls=calls, counts=counts, digest=digest, at=clock.now()
    )
    detail = {"day": day.isoformat(), "count": calls, "counts": counts, "sm3": digest}
    record(actor, "partner_calls.sum", "credential", made.credential.key_id, detail=detail)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, clock.SHANGHAI)


def report_list(
    actor: Actor, credential: Credential, version: int, devices: int, behind: int, newest: int
) -> None:
    """What a partner says of the list that its devices work with.

    Raises Refused `REPORT_VERSION`, BadInput `REPORT_DEVICES`.
    """
    actor.require(REPORT)
    if behind > devices:
        raise BadInput(
            "REPORT_DEVICES",
            "版本落后的机具比全部机具还多。",
            where="behind",
            found=behind,
            expected=f"0 至 {devices}",
            action="请核对 devices 和 behind。",
        )
    if version > newest:
        raise Refused(
            "REPORT_VERSION",
            "没有这个版本的名单。",
            where="version",
            found=version,
            expected=f"0 至 {newest}",
        )
    Report.objects.create(
        unit=credential.unit, version=version, devices=devices, behind=behind, at=clock.now()
    )

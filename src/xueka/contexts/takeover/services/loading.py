"""An approved set becomes ours, a chunk per transaction; killed anywhere, the next sweep goes on.

What is done is known from the staged rows themselves: a row that has an object is loaded.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.takeover.domain import format as f
from xueka.contexts.takeover.domain.transitions import APPROVED, TAKEOVER
from xueka.contexts.takeover.models import (
    ROWS,
    AccountRow,
    ApplicationRow,
    CardRow,
    NumberRow,
    RangeRow,
    Row,
    TakeOver,
)
from xueka.contexts.takeover.services import checks
from xueka.contexts.takeover.services.taking_in import locked
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor

CHUNK = 5_000


def load_chunk(actor: Actor, take_over_id: int, size: int = CHUNK) -> int:
    """Load the next rows of an approved set in the caller's transaction; answers how many, 0 when done.

    Rows that what is on record has ruled out since the dry run are left out and named in the findings.
    """
    found = locked(actor, take_over_id)
    if found.state != APPROVED:
        return 0
    for code in f.PARTS:
        while rows := _next(found, code, size):
            good = _still_good(found, code, rows)
            if good:
                _LOADERS[code](actor, found, good)
                return len(good)
    _finish(actor, found)
    return 0


def _next(found: TakeOver, code: str, size: int) -> list[Row]:
    waiting = ROWS[code]._default_manager.filter(take_over=found, ok=True, object_id=None)
    return list(waiting.order_by("line")[:size])


def _still_good(found: TakeOver, code: str, rows: list[Row]) -> list[Any]:
    lines = (code, rows[0].line, rows[-1].line)
    _, errors, _ = checks.find(found, lines=lines)
    if not errors:
        return rows
    late = {problem.line for problem in errors}
    kept = found.findings.setdefault("late", [])
    kept += [problem.as_dict() for problem in errors]
    counts = found.counts[code]
    counts["accepted"] -= len(late)
    counts["rejected"] += len(late)
    found.save(update_fields=["findings", "counts"])
    return [row for row in rows if row.line not in late]


def _load_ranges(actor: Actor, found: TakeOver, rows: list[RangeRow]) -> None:
    taken = [
        numbers.TakenRange(
            row.sort, row.issuer, row.document, row.prefix, row.width, row.first, row.last, row.used
        )
        for row in rows
    ]
    for row, ids in zip(rows, numbers.take_over_ranges(actor, found.id, taken), strict=True):
        row.object_id, row.second_id = ids[0], ids[1] if len(ids) > 1 else None
    RangeRow.objects.bulk_update(rows, ["object_id", "second_id"])


def _load_accounts(actor: Actor, found: TakeOver, rows: list[AccountRow]) -> None:
    students = _students(rows)
    taken = [
        cards.TakenAccount(
            students[row.education_id],
            row.number,
            row.state,
            _moment(row.opened_on, found),
            {"take_over": found.number},
        )
        for row in rows
    ]
    _remember(rows, cards.take_over_accounts(actor, taken))


def _load_cards(actor: Actor, found: TakeOver, rows: list[CardRow]) -> None:
    students = _students(rows)
    taken = []
    for row in rows:
        since = {"lost": row.lost_on, "cancelled": row.cancelled_on}.get(row.state, row.issued_on)
        taken.append(
            cards.TakenCard(
                students[row.education_id],
                row.kind,
                row.number,
                row.state,
                row.transit_number,
                row.beijing_tong_number,
                row.chip_uid,
                _moment(row.issued_on, found),
                _moment(since, found),
                row.valid_until,
                {"take_over": found.number},
            )
        )
    ids = cards.take_over_cards(actor, taken)
    _remember(rows, ids)
    named = [
        numbers.TakenNumber(sort, number, id_)
        for row, id_ in zip(rows, ids, strict=True)
        for sort, number in (
            ("card", row.number),
            ("transit", row.transit_number),
            ("beijing_tong", row.beijing_tong_number),
        )
        if number
    ]
    numbers.take_over_numbers(actor, found.id, named)


def _load_numbers(actor: Actor, found: TakeOver, rows: list[NumberRow]) -> None:
    taken = [
        numbers.TakenNumber(row.sort, row.number, None, row.note or f"旧系统已用（{found.number}）")
        for row in rows
    ]
    _remember(rows, numbers.take_over_numbers(actor, found.id, taken))


def _load_applications(actor: Actor, found: TakeOver, rows: list[ApplicationRow]) -> None:
    students = _students(rows)
    taken = [
        cards.TakenApplication(
            students[row.education_id],
            row.kind,
            row.reason,
            row.state,
            _moment(row.submitted_on, found),
            {"take_over": found.number, "old_number": row.number},
        )
        for row in rows
    ]
    _remember(rows, cards.take_over_applications(actor, taken))


_LOADERS: dict[str, Any] = {
    "ranges": _load_ranges,
    "accounts": _load_accounts,
    "cards": _load_cards,
    "numbers": _load_numbers,
    "applications": _load_applications,
}


def _finish(actor: Actor, found: TakeOver) -> None:
    apply(TAKEOVER, TakeOver, [found.id], "finish", actor)
    found.loaded_at = clock.now()
    found.back_until = found.loaded_at + timedelta(days=settings.TAKEOVER_BACK_DAYS)
    found.load_error = ""
    found.save(update_fields=["loaded_at", "back_until", "load_error"])
    loaded = {
        code: model._default_manager.filter(take_over=found, object_id__isnull=False).count()
        for code, model in ROWS.items()
    }
    record(
        actor,
        "takeover.load",
        "takeover",
        found.number,
        detail={
            "sm3": bytes(found.digest).hex(),
            "loaded": loaded,
            "created_by": found.created_by,
            "approved_by": found.approved_by,
        },
    )


def _students(rows: list[Any]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT education_id, id FROM registry_student WHERE education_id = ANY(%s)",
            [[row.education_id for row in rows]],
        )
        return dict(cursor.fetchall())


def _remember(rows: list[Any], ids: list[int]) -> None:
    table = type(rows[0])._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} r SET object_id = t.made FROM unnest(%s::bigint[], %s::bigint[]) AS t(id, made)"  # noqa: S608
            " WHERE r.id = t.id",
            [[row.id for row in rows], ids],
        )


def _moment(day: date | None, found: TakeOver) -> datetime:
    """Midnight in Shanghai of a day; of the day of the data where the other system knows none."""
    return datetime.combine(day or found.as_of, time(), clock.SHANGHAI).astimezone(UTC)

"""A new version of the field key, and every stored envelope made anew under it, piece by piece.

Two people agree (`changes`); that is stored before anything is made. A sweep then makes the version in the
key file, puts it on record, re-encrypts what is left, and retires the version before when nothing stands
under it. Each step may be killed and is found again by what is there: the file, the heads of the envelopes.
"""

from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import F

from xueka.contexts.keys.domain.transitions import KEY_VERSION, PRE_ACTIVE
from xueka.contexts.keys.models import FILES, FieldRotation, Key, KeyChange, KeyVersion
from xueka.contexts.keys.services import finding, versions
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import keyring, sealed_columns
from xueka.platform.crypto.sealed_columns import SealedColumn
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor

LABEL = "platform.fields"

Told = Callable[[SealedColumn, int], None]


def start(actor: Actor, asked: KeyChange) -> FieldRotation:
    """The second person has agreed: remember it. The sweep does it; who cannot wait calls `finish`."""
    source = finding.usable(LABEL, None)
    return FieldRotation.objects.create(
        change=asked, source=source, number=versions.next_number(source.key), started_at=clock.now()
    )


def not_under_way() -> None:
    """Rows that are still on their way come first. Raises Refused `KEY_REWRAP_OPEN`."""
    if opened() is not None:
        raise Refused(
            "KEY_REWRAP_OPEN",
            "字段加密密钥的上一次轮换还没有做完。",
            where=LABEL,
            action="请等它完成，或运行 xueka keys rewrap。",
        )


def opened() -> FieldRotation | None:
    return FieldRotation.objects.filter(finished_at=None).select_related("source__key", "change").first()


def finish(actor: Actor, told: Told = lambda column, rows: None) -> int:
    """All of it, each piece a transaction of its own; `told` hears of each. Returns the number of rows.

    What somebody holds meanwhile is left to the next call, and so is retiring the version before.
    """
    with transaction.atomic():
        task = _made(actor)
    moved = 0
    for column in sealed_columns.sealed_columns() if task is not None else ():
        after: int | None = 0
        while after is not None:
            with transaction.atomic():
                after, rows = sealed_columns.reseal(column, after)
                if rows:
                    told(column, rows)
                    FieldRotation.objects.filter(finished_at=None).update(done=F("done") + rows)
            moved += rows
    if task is not None:
        with transaction.atomic():
            _ended(actor)
    return moved


# --- inside ---


def _made(actor: Actor) -> FieldRotation | None:
    """The open task, its key made and on record."""
    task = FieldRotation.objects.filter(finished_at=None).select_for_update(of=("self",)).first()
    if task is None or task.made_at is not None:
        return task
    asked, key = task.change, Key.objects.select_for_update().get(label=LABEL)
    [entry] = [
        each for each in keyring.make_version(task.number).entries()
        if (each.label, each.version) == (LABEL, task.number)
    ]  # fmt: skip
    now = clock.now()
    made = KeyVersion.objects.create(
        key=key,
        number=task.number,
        state=PRE_ACTIVE,
        state_at=now,
        algorithm=entry.algorithm,
        kcv=entry.kcv,
        store=FILES,
        handle=keyring.FILE_NAME,
        origin="generated",
        created_at=now,
        asked_by=asked.asked_by,
        confirmed_by=asked.decided_by,
        change=asked,
    )
    begin(KEY_VERSION, [made.pk], actor, detail={"kcv": entry.kcv, "origin": "generated"})
    versions.activate(actor, made, reason=asked.reason)
    task.made_at, task.total = now, sealed_columns.left()
    task.save(update_fields=["made_at", "total"])
    detail = {"from": task.source.number, "to": made.number, "kcv": entry.kcv, "rows": task.total}
    record(actor, "key.rewrap_start", "key", LABEL, detail=detail)
    return task


def _ended(actor: Actor) -> None:
    """Nothing stands under the version before, and nobody who began under it is still writing: retire it."""
    task = FieldRotation.objects.filter(finished_at=None).select_for_update(of=("self",)).first()
    if task is None or _older_work(task) or sealed_columns.left():
        return
    source = finding.version(finding.locked(LABEL), task.source.number)
    versions.move(actor, source, "retire", f"{task.change.number}：已没有数据由它加密")
    FieldRotation.objects.filter(pk=task.pk).update(finished_at=clock.now())
    detail = {"from": source.number, "to": task.number, "rows": task.done}
    record(actor, "key.rewrap_done", "key", LABEL, detail=detail)


def _older_work(task: FieldRotation) -> bool:
    """Whether a transaction of another process began before the new version was there.

    It may have taken the keys at its beginning (an import does) and commit rows under the old one later.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND usename = current_user AND xact_start < %s)",
            [task.made_at],
        )
        return bool(cursor.fetchone()[0])

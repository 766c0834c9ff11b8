"""What every import has in common: one at a time, a rehearsal that changes nothing, a record that stays."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg import errors

from xueka.contexts.registry.domain.report import ImportReport, printable
from xueka.contexts.registry.models import ImportRun
from xueka.contexts.registry.tables.csv_file import Content
from xueka.kernel import clock
from xueka.kernel.errors import Conflict
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

PERMISSION = "city:registry:import"
_PIECE = 1024 * 1024
_NAME = "xueka import "  # of the session that imports, so that others can be told
_LOCK = int.from_bytes(hashlib.sha256(b"xueka registry import").digest()[:7], "big")


def one_at_a_time(actor: Actor) -> None:
    """Take the lock of all imports until the end of the transaction.

    Waits REGISTRY_IMPORT_WAIT seconds for another import, then raises Conflict `IMPORT_BUSY` with who is
    importing and since when.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true)", [f"{settings.REGISTRY_IMPORT_WAIT}s"]
            )
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
            cursor.execute("SELECT set_config('application_name', %s, true)", [_NAME + actor.username])
    except OperationalError as error:
        if not isinstance(error.__cause__, errors.LockNotAvailable):
            raise
        raise _busy() from error


def _busy() -> Conflict:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT application_name, xact_start FROM pg_stat_activity"
            " WHERE datname = current_database() AND starts_with(application_name, %s)",
            [_NAME],
        )
        found = cursor.fetchone()
    who, since = (found[0].removeprefix(_NAME), f"{clock.local(found[1]):%H:%M:%S}") if found else ("", "")
    return Conflict(
        "IMPORT_BUSY",
        f"{who or '另一个人'}正在导入，同一时间只能有一份名册导入。",
        found=f"{who} 自 {since} 起" if found else None,
        action="本文件没有导入，也没有改动任何数据。请等那一份导入完成后再试。",
    )


@contextlib.contextmanager
def rehearsal(dry_run: bool) -> Iterator[None]:
    """What is done inside is undone at the end of a dry run."""
    with transaction.atomic():
        yield
        if dry_run:
            transaction.set_rollback(True)


def file_digest(content: Content) -> bytes:
    """SM3 of the whole file."""
    digest = hashes.Hash(hashes.SM3())
    for start in range(0, len(content), _PIECE):
        digest.update(content[start : start + _PIECE])
    return digest.finalize()


def keep(actor: Actor, run: ImportRun, sm3: bytes, report: ImportReport) -> None:
    """Store the run with its report, and one audit entry with the file's digest and the counts."""
    counts = report.counts()
    for name in ("rows", "created", "updated", "unchanged", "rejected"):
        setattr(run, name, counts[name])
    run.sm3, run.report = sm3, report.as_dict()
    run.save()
    record(
        actor,
        f"{run.kind}.{'check' if run.dry_run else 'import'}",
        "import",
        run.id,
        detail={"file": run.file_name, "sm3": sm3.hex(), **counts},
    )


def new_run(actor: Actor, kind: str, file_name: str, dry_run: bool, at: datetime) -> ImportRun:
    """A run not yet stored; its digest comes with `keep`."""
    name = printable(file_name, "")[-200:]
    return ImportRun(kind=kind, file_name=name, sm3=b"", dry_run=dry_run, at=at, actor=actor.username)

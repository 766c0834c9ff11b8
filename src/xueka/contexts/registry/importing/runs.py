"""What every import has in common: one at a time, a rehearsal that changes nothing, a record that stays."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives import hashes
from django.db import connection, transaction

from xueka.contexts.registry.domain.report import ImportReport, printable
from xueka.contexts.registry.models import ImportRun
from xueka.contexts.registry.tables.csv_file import Content
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

PERMISSION = "city:registry:import"
_PIECE = 1024 * 1024
_LOCK = int.from_bytes(hashlib.sha256(b"xueka registry import").digest()[:7], "big")


def one_at_a_time() -> None:
    """Wait until no other import is at work; held until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


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

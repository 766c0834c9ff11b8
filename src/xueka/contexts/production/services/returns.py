"""Taking a return file: read whole or refused whole, reconciled line by line, applied in one transaction.

Rules: docs/interfaces/card-bureau.md §11. The file is kept in every case.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from django.db.models import QuerySet

from xueka.contexts.production.adapters import bureau_package
from xueka.contexts.production.adapters.bulk_reconcile import SENT, Judged, reconcile
from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.domain.bureau.records import read_return_name
from xueka.contexts.production.domain.bureau.returns import ReturnManifest, ReturnRefused
from xueka.contexts.production.models import Batch, Package, PartnerKeys, Problem, ReturnFile
from xueka.contexts.production.services import applying
from xueka.contexts.production.services.common import batch_not_found, locked_batch, record
from xueka.contexts.production.services.partners import keys_that_may_answer
from xueka.contexts.production.services.records import contents_of
from xueka.contexts.production.services.sent import sent_of
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.audit import services as audit
from xueka.platform.crypto import sm3
from xueka.platform.files import services as files
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor

APPLIED, REFUSED, REPEATED, DRY_RUN = "applied", "refused", "repeated", "dry_run"

_COUNTED = ("lines", "matched", "failed", "missing", "duplicate", "unknown", "altered")


@dataclass(frozen=True, slots=True)
class ReturnReport:
    """What a return file did. `applied` counts the cards whose result was put into effect.

    `errors` name line (None where the whole file or a missing card is meant), column, code and message.
    """

    state: str
    lines: int = 0
    matched: int = 0
    failed: int = 0
    missing: int = 0
    duplicate: int = 0
    unknown: int = 0
    altered: int = 0
    applied: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    return_number: int | None = None
    return_file_id: int | None = None

    def as_dict(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in _COUNTED}
        return {
            **numbers,
            "applied": self.applied,
            "errors": self.errors,
            "state": self.state,
            "return_number": self.return_number,
        }


def import_return(
    actor: Actor, content: bytes, file_name: str, batch_number: str, dry_run: bool = False
) -> ReturnReport:
    """Take a return file for a batch. A file that is refused whole is reported, kept, and changes nothing.

    The same bytes again change nothing either (`repeated`). A dry run writes nothing at all. Raises NotFound
    for an unknown batch.
    """
    actor.require("city:batch:reconcile")
    found = Batch.objects.visible_to(actor.scope).filter(number=batch_number).first()
    if found is None:
        raise batch_not_found(batch_number)
    batch = locked_batch(actor, found.id)
    before = _same_bytes(batch, content).filter(state=APPLIED).first()
    if before is not None:
        return _repeated(actor, batch, before, file_name, dry_run)
    try:
        manifest, keys, judged, sent = _judge(batch, content, file_name)
    except ReturnRefused as refusal:
        return _refused(actor, batch, content, file_name, refusal, dry_run)
    errors = [problem.as_dict() for problem in judged.rest.problems]
    errors += [applying.missing_problem(number) for number in judged.missing]
    counts = judged.counts()
    if dry_run:
        return ReturnReport(DRY_RUN, **counts, errors=errors, return_number=manifest.number)
    kept = ReturnFile.objects.create(
        batch=batch,
        file=_store(actor, content, file_name),
        keys=keys,
        return_number=manifest.number,
        final=manifest.final,
        state=APPLIED,
        counts=counts,
        received_at=clock.now(),
        received_by=actor.username,
    )
    made, spoiled = applying.apply(actor, batch, kept, judged, sent)
    kept.counts = {**counts, "made": made, "spoiled": spoiled}
    kept.save(update_fields=["counts"])
    record(
        actor,
        "return",
        batch,
        file=file_name,
        sm3=sm3.hexdigest(content),
        final=manifest.final,
        **kept.counts,
    )
    return ReturnReport(
        APPLIED,
        **counts,
        applied=made + spoiled,
        errors=errors,
        return_number=manifest.number,
        return_file_id=kept.id,
    )


def keep_stray(actor: Actor, content: bytes, file_name: str, batch_number: str) -> None:
    """A return file for a batch that we do not know: kept and shown, nothing else."""
    text = f"没有批次 {batch_number}，文件未作任何处理。"
    kept = _keep_refused(actor, None, content, file_name, "RETURN_BATCH", text)
    detail = {"file": file_name, "code": "RETURN_BATCH", "message": text}
    Problem.objects.create(return_file=kept, kind=outcomes.REFUSED_FILE, detail=detail, opened_at=clock.now())
    audit.record(actor, "return.refuse", "return_file", kept.id, result="refused", detail=detail)


def _judge(
    batch: Batch, content: bytes, file_name: str
) -> tuple[ReturnManifest, PartnerKeys, Judged, pl.DataFrame]:
    named = read_return_name(file_name)
    package = _package_made(batch)
    keys = {found.signing_fingerprint: found for found in keys_that_may_answer(package)}
    with ThreadPoolExecutor(1) as desk:  # opens the file while the database says what was sent
        opening = desk.submit(
            bureau_package.open_return,
            content,
            [found.signing_public_key for found in keys.values()],
            batch.number,
            expected_number=named[1] if named else None,
            expected_package_sm3=bytes(package.file.sm3).hex() if package else "",
        )
        sent = sent_of(batch)
        opened = opening.result()
    if batch.returns.filter(state=APPLIED, return_number=opened.manifest.number).exists():
        raise ReturnRefused(
            "RETURN_NUMBER",
            f"第 {opened.manifest.number} 号回盘已受理过，内容与本文件不同。",
            where="manifest.json: return",
            found=opened.manifest.number,
            expected="未用过的回盘号",
            action="本文件未作任何处理。请卡厂以新的回盘号重新发送。",
        )
    manifest = opened.manifest
    judged = reconcile(contents_of(batch.kind), sent.select(*SENT), opened.lines)
    del opened, opening  # a hundred megabytes that nobody reads again
    return manifest, keys[manifest.signer], applying.refine(batch, judged, sent), sent


def _package_made(batch: Batch) -> Package | None:
    """The package that the bureau makes: the last one that was sent and not refused."""
    sent = (
        batch.packages.filter(state__in=["sent", "accepted"])
        .select_related("file", "keys")
        .defer("file__content")
    )
    return sent.order_by("-attempt").first()


def _same_bytes(batch: Batch, content: bytes) -> QuerySet[ReturnFile]:
    return batch.returns.filter(file__sm3=sm3.digest(content)).order_by("id")


def _repeated(actor: Actor, batch: Batch, before: ReturnFile, file_name: str, dry_run: bool) -> ReturnReport:
    if not dry_run:
        ReturnFile.objects.create(
            batch=batch,
            file_id=before.file_id,
            keys_id=before.keys_id,
            return_number=before.return_number,
            final=before.final,
            state=REPEATED,
            counts=before.counts,
            received_at=clock.now(),
            received_by=actor.username,
        )
        record(actor, "return_repeated", batch, file=file_name, return_number=before.return_number)
    counts = {name: before.counts[name] for name in _COUNTED}
    return ReturnReport(REPEATED, **counts, return_number=before.return_number, return_file_id=before.id)


def _refused(
    actor: Actor, batch: Batch, content: bytes, file_name: str, refusal: XuekaError, dry_run: bool
) -> ReturnReport:
    error = {"line": refusal.detail.get("line"), "column": refusal.where, "code": refusal.code}
    report = ReturnReport(REFUSED, errors=[{**error, "message": refusal.message}])
    if dry_run:
        return report
    known = _same_bytes(batch, content).filter(state=REFUSED, refusal_code=refusal.code).exists()
    kept = _keep_refused(actor, batch, content, file_name, refusal.code, refusal.message)
    if not known:  # the same file refused again is no new problem
        Problem.objects.create(
            batch=batch,
            return_file=kept,
            kind=outcomes.REFUSED_FILE,
            detail={"file": file_name, **refusal.as_dict()},
            opened_at=clock.now(),
        )
    audit.record(
        actor,
        "batch.return",
        "batch",
        batch.number,
        result="refused",
        detail={"file": file_name, "sm3": sm3.hexdigest(content), "code": refusal.code},
    )
    return report


def _keep_refused(
    actor: Actor, batch: Batch | None, content: bytes, file_name: str, code: str, text: str
) -> ReturnFile:
    return ReturnFile.objects.create(
        batch=batch,
        file=_store(actor, content, file_name),
        state=REFUSED,
        refusal_code=code,
        refusal_text=text,
        received_at=clock.now(),
        received_by=actor.username,
    )


def _store(actor: Actor, content: bytes, file_name: str) -> StoredFile:
    """The file's row; bytes that are here already are not kept twice."""
    same = StoredFile.objects.filter(sm3=sm3.digest(content), returnfile__isnull=False).only("id").first()
    return same or files.store(actor, file_name[-200:], "application/zip", content)

"""What lies in the bureau's out folder: each file is taken once, and remembered by name, size and time."""

import re

from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.domain.bureau.acknowledgement import AcknowledgementRefused
from xueka.contexts.production.domain.bureau.records import read_return_name
from xueka.contexts.production.domain.bureau.text import BATCH_NUMBER
from xueka.contexts.production.domain.transitions import READY
from xueka.contexts.production.models import Batch, InboxFile, Problem
from xueka.contexts.production.ports import RemoteFile
from xueka.contexts.production.services import packages, returns
from xueka.contexts.production.services.common import locked_batch
from xueka.kernel import clock
from xueka.platform.crypto import sm3
from xueka.platform.identity.actor import Actor

_ACKNOWLEDGEMENT = re.compile(rf"XKA_({BATCH_NUMBER})_([1-9]\d{{0,2}})\.json", re.ASCII)

IGNORED, ACKNOWLEDGED, REPEATED, REFUSED = "ignored", "acknowledged", "repeated", "refused"


def not_taken(files: list[RemoteFile]) -> list[RemoteFile]:
    """Those that are new, acknowledgements first, then return files in the order of their numbers."""
    taken = set(
        InboxFile.objects.filter(name__in=[file.name for file in files]).values_list(
            "name", "size", "modified"
        )
    )
    fresh = [file for file in files if (file.name, file.size, file.modified) not in taken]
    return sorted(fresh, key=lambda file: (_kind(file.name), file.name))


def take(actor: Actor, file: RemoteFile, content: bytes) -> str:
    """Take one file in the caller's transaction; returns its outcome.

    Empty where it comes too early: the package that it speaks of is not marked as sent yet, because the
    sender was killed in between. Such a file is left for a later look.
    """
    outcome, note = _take(actor, file.name, content)
    if outcome:
        _remember(file, sm3.digest(content), outcome, note)
    return outcome


def refuse_unread(actor: Actor, file: RemoteFile, most: int) -> None:
    """A file larger than any of the format stays where it is: told once, and remembered."""
    match, named = _ACKNOWLEDGEMENT.fullmatch(file.name), read_return_name(file.name)
    number = match[1] if match else named[0] if named else ""
    here, limit = file.size // 1024**2, most // 1024**2
    note = f"文件有 {here} MB，没有下载，也没有处理；应不超过 {limit} MB。请卡厂核对后重发。"
    _report(_batch(actor, number), file.name, {"code": "BUREAU_FILE_TOO_LARGE", "message": note})
    _remember(file, b"", REFUSED, note)


def _remember(file: RemoteFile, digest: bytes, outcome: str, note: str) -> None:
    InboxFile.objects.create(
        name=file.name,
        size=file.size,
        modified=file.modified,
        sm3=digest,
        outcome=outcome,
        note=note,
        taken_at=clock.now(),
    )


def _take(actor: Actor, name: str, content: bytes) -> tuple[str, str]:
    if match := _ACKNOWLEDGEMENT.fullmatch(name):
        return _acknowledgement(actor, name, match[1], int(match[2]), content)
    if named := read_return_name(name):
        return _return(actor, name, named[0], content)
    return IGNORED, "文件名不是约定的回执或回盘文件名。"


def _acknowledgement(actor: Actor, name: str, number: str, attempt: int, content: bytes) -> tuple[str, str]:
    batch = _batch(actor, number)
    package = (
        batch.packages.select_related("file", "keys").defer("file__content").filter(attempt=attempt).first()
        if batch
        else None
    )
    if batch is None or package is None:
        note = f"没有批次 {number} 的第 {attempt} 号制卡包。"
        _report(batch, name, {"code": "ACK_PACKAGE", "message": note})
        return REFUSED, note
    if package.state == "stored":
        return "", ""
    try:
        return packages.acknowledge(actor, batch, package, content), ""
    except AcknowledgementRefused as refusal:
        _report(batch, name, refusal.as_dict())
        return REFUSED, refusal.message


def _return(actor: Actor, name: str, number: str, content: bytes) -> tuple[str, str]:
    batch = _batch(actor, number)
    if batch is None:
        returns.keep_stray(actor, content, name, number)
        return REFUSED, f"没有批次 {number}。"
    if batch.state == READY:
        return "", ""
    report = returns.import_return(actor, content, name, number)
    return report.state, report.errors[0]["message"] if report.state == REFUSED else ""


def _batch(actor: Actor, number: str) -> Batch | None:
    found = Batch.objects.filter(number=number).first()
    return locked_batch(actor, found.id) if found else None


def _report(batch: Batch | None, name: str, refusal: dict[str, object]) -> None:
    Problem.objects.create(
        batch=batch,
        kind=outcomes.REFUSED_FILE,
        detail={"file": name, **refusal},
        opened_at=clock.now(),
    )


def _kind(name: str) -> tuple[int, str, int]:
    named = read_return_name(name)
    return (1, *named) if named else (0, "", 0)

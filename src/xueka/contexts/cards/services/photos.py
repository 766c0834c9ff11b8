"""Portraits: one at a time, or a school's whole ZIP."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from xueka.contexts.cards.domain import states
from xueka.contexts.cards.models import Application, Photo
from xueka.contexts.cards.portrait import Finding, Portrait, check_portrait
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.files.services import read, store
from xueka.platform.identity.actor import Actor

#: A school's ZIP: at most so many files, each at most so large when unpacked.
ARCHIVE_FILES = 3000
ARCHIVE_FILE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """What became of one file of a ZIP: its photo with findings, or the code and message of its defect."""

    file_name: str
    student_id: int | None = None
    photo_id: int | None = None
    code: str = ""
    message: str = ""
    findings: list[Finding] = field(default_factory=list)


def upload_photo(actor: Actor, student_id: int, content: bytes, file_name: str) -> Photo:
    """Check a portrait, keep it sealed, and put it on the student's drafts and returned applications.

    Raises NotFound for a student who is not the actor's, BadInput with a code PHOTO_… for a photo that cannot
    be used.
    """
    actor.require("school:photo:upload")
    student = registry.Student.objects.visible_to(actor.scope).filter(id=student_id).first()
    if student is None:
        raise NotFound("STUDENT_NOT_FOUND", "没有这名学生。")
    try:
        portrait = check_portrait(content)
    except XuekaError as error:
        error.where = file_name
        raise
    photo = _keep(actor, student, portrait)
    codes = [finding["code"] for finding in portrait.findings]
    record(
        actor, "photo.upload", "student", student.education_id, detail={"photo": photo.id, "findings": codes}
    )
    return photo


def upload_photo_archive(
    actor: Actor, content: bytes, student_ids: Sequence[int] | None = None
) -> list[PhotoOutcome]:
    """A ZIP of portraits named by education ID or identity number; a bad file stops no other.

    `student_ids` limits it to these students (a class). Raises BadInput `ARCHIVE_…` for the ZIP as a whole.
    """
    actor.require("school:photo:upload")
    outcomes = []
    for name, data in _members(content):
        student = _student_of(actor, PurePosixPath(name).stem)
        if student is None or (student_ids is not None and student.id not in student_ids):
            message = "文件名对应不到本次申领的学生，应为教育ID或证件号码。"
            outcomes.append(PhotoOutcome(name, code="PHOTO_STUDENT_UNKNOWN", message=message))
            continue
        try:
            portrait = check_portrait(data)
        except XuekaError as error:
            outcomes.append(PhotoOutcome(name, student.id, code=error.code, message=error.message))
            continue
        photo = _keep(actor, student, portrait)
        outcomes.append(PhotoOutcome(name, student.id, photo.id, findings=portrait.findings))
    good = sum(outcome.photo_id is not None for outcome in outcomes)
    record(actor, "photo.upload_archive", detail={"files": len(outcomes), "accepted": good})
    return outcomes


def photo_bytes(actor: Actor, photo_id: int) -> bytes:
    """The JPEG of a photo; NotFound where its student is not the actor's."""
    actor.require("school:student:read")
    photo = Photo.objects.visible_to(actor.scope).select_related("file").filter(id=photo_id).first()
    if photo is None:
        raise NotFound("PHOTO_NOT_FOUND", "没有这张照片。")
    return read(photo.file)


def _keep(actor: Actor, student: registry.Student, portrait: Portrait) -> Photo:
    # Not under the name it came with, which may be an identity number.
    file = store(actor, f"{student.education_id}.jpg", "image/jpeg", portrait.content, personal=True)
    photo = Photo.objects.create(
        student=student,
        file=file,
        width=portrait.width,
        height=portrait.height,
        size=len(portrait.content),
        findings=portrait.findings,
        uploaded_at=clock.now(),
        uploaded_by=actor.username,
    )
    Application.objects.visible_to(actor.scope).filter(
        account__student=student, kind__photo_required=True, state__in=[states.DRAFT, states.RETURNED]
    ).update(photo=photo, updated_at=clock.now())
    return photo


def _student_of(actor: Actor, stem: str) -> registry.Student | None:
    by_education_id = registry.Student.objects.visible_to(actor.scope).filter(education_id=stem).first()
    return by_education_id or registry.find_by_id_number(actor.scope, stem)


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the files in a ZIP, one in memory at a time, without what operating systems add."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir() and not _hidden(info.filename)]
            if len(files) > ARCHIVE_FILES:
                raise BadInput(
                    "ARCHIVE_TOO_MANY",
                    "压缩包里的文件过多。",
                    found=len(files),
                    expected=f"不超过 {ARCHIVE_FILES}",
                )
            for info in files:
                yield info.filename, _read_member(archive, info)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError):
        raise BadInput(
            "ARCHIVE_UNREADABLE",
            "压缩包无法读取。",
            expected="未加密的 ZIP，文件名为教育ID或证件号码",
            action="请重新打包后上传。",
        ) from None


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # One byte more than allowed is enough to be refused later, whatever the head of the entry claims.
    with archive.open(info) as file:
        return file.read(ARCHIVE_FILE_BYTES + 1)


def _hidden(name: str) -> bool:
    return any(
        part.startswith((".", "__MACOSX")) or part == "Thumbs.db" for part in PurePosixPath(name).parts
    )

"""A class's photos as a school sends them: a ZIP, or files one by one; a bad one stops no other.

What could not be used is kept with its reason for some days, so that it can be cropped, or given to the child
whose it is, without being sent again.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import PurePosixPath

from xueka.contexts.cards.archives import Member, members
from xueka.contexts.cards.configuration import photo_rule
from xueka.contexts.cards.domain import photo_names
from xueka.contexts.cards.models import Photo, UnusedPhoto
from xueka.contexts.cards.portrait import Box, Finding, check_portrait, upright
from xueka.contexts.cards.services.photos import forget_unused, keep, upload_photo
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, XuekaError
from xueka.kernel.masking import mask_id
from xueka.platform.audit.services import record
from xueka.platform.files.services import read, store
from xueka.platform.identity.actor import Actor

#: A refusal that a crop may put right; of the others only photos that look for their child are kept.
CROPPABLE = ("PHOTO_RATIO",)
_UNKNOWN = "文件名对应不到本班待申领的学生，应为教育ID或证件号码。"
_ON_SCREEN = 900


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """What became of one file: its photo with findings, or the code and message of its defect."""

    file_name: str
    student_id: int | None = None
    photo_id: int | None = None
    code: str = ""
    message: str = ""
    findings: list[Finding] = field(default_factory=list)


def upload_photos(
    actor: Actor, class_id: int, student_ids: Sequence[int], files: Iterable[tuple[str, bytes]]
) -> list[PhotoOutcome]:
    """Photos (JPEG, PNG, or ZIPs of them) for these students of a class, one outcome for each file.

    A file belongs to the student whose education ID or identity number is in its name. Raises NotFound where
    the class or a student is not the actor's, BadInput `ARCHIVE_…` for a ZIP that cannot be read at all.
    """
    actor.require("school:photo:upload")
    students = registry.Student.objects.visible_to(actor.scope).in_bulk(list(student_ids))
    where = registry.SchoolClass.objects.filter(
        id=class_id, school__in=registry.School.objects.visible_to(actor.scope)
    ).first()
    if where is None or len(students) < len(set(student_ids)):
        raise NotFound("STUDENT_NOT_FOUND", "没有这名学生。")
    outcomes: list[PhotoOutcome] = []
    taken: dict[int, str] = {}
    for file in _unpacked(files):
        outcome = _place(actor, students, taken, file)
        outcomes.append(outcome)
        if outcome.photo_id and outcome.student_id:
            taken[outcome.student_id] = outcome.file_name
        elif outcome.code != "PHOTO_TWICE":
            _remember(actor, where, list(students.values()), file, outcome)
    good = sum(outcome.photo_id is not None for outcome in outcomes)
    record(actor, "photo.upload_archive", detail={"files": len(outcomes), "accepted": good})
    return outcomes


def unused_photos(actor: Actor, class_id: int) -> list[UnusedPhoto]:
    """What of a class's uploads became nobody's photo, by file name."""
    rows = UnusedPhoto.objects.filter(
        school_class_id=class_id, school_class__school__in=registry.School.objects.visible_to(actor.scope)
    )
    return list(rows.select_related("student", "likely").order_by("file_name", "id"))


def unused_photo(actor: Actor, unused_id: int) -> UnusedPhoto:
    """One of them. Raises NotFound where it is gone or not the actor's."""
    actor.require("school:photo:upload")
    found = (
        UnusedPhoto.objects.filter(
            id=unused_id, school_class__school__in=registry.School.objects.visible_to(actor.scope)
        )
        .select_related("file", "student", "likely", "school_class")
        .first()
    )
    if found is None:
        raise NotFound("PHOTO_NOT_FOUND", "没有这张照片，可能已经处理过。")
    return found


def unused_picture(actor: Actor, unused_id: int) -> tuple[bytes, int, int]:
    """Its JPEG for the screen, and the width and height that a crop is measured in."""
    found = unused_photo(actor, unused_id)
    if found.file is None:
        raise NotFound("PHOTO_NOT_FOUND", "这个文件不是照片，没有保留。")
    return upright(read(found.file), _ON_SCREEN)


def use_photo(actor: Actor, unused_id: int, student_id: int, crop: Box | None = None) -> Photo:
    """Make it the photo of this student, cropped where a box is given. Raises BadInput PHOTO_…."""
    found = unused_photo(actor, unused_id)
    if found.file is None:
        raise BadInput("PHOTO_NOT_KEPT", "这个文件不是照片，没有保留。", action="请重新上传照片。")
    photo = upload_photo(actor, student_id, read(found.file), found.file_name, crop)
    forget_unused(UnusedPhoto.objects.filter(id=unused_id))
    return photo


def drop_unused(actor: Actor, unused_id: int) -> None:
    """Nobody needs it; its bytes are deleted."""
    forget_unused(UnusedPhoto.objects.filter(id=unused_photo(actor, unused_id).id))


def purge_unused() -> int:
    """Delete what has been kept for longer than the rule says; returns how many."""
    before = clock.now() - timedelta(days=photo_rule().unused_days)
    return forget_unused(UnusedPhoto.objects.filter(uploaded_at__lt=before))


def _unpacked(files: Iterable[tuple[str, bytes]]) -> Iterable[Member]:
    for name, content in files:
        if name.lower().endswith(".zip"):
            yield from members(content)
        else:
            yield Member(name, content)


def _place(
    actor: Actor, students: dict[int, registry.Student], taken: dict[int, str], file: Member
) -> PhotoOutcome:
    student = _student_of(actor, students, PurePosixPath(file.name).stem)
    outcome = PhotoOutcome(file.name, student.id if student else None, code=file.code, message=file.message)
    if file.code:
        return outcome
    if student and student.id in taken:
        said = f"同一名学生已用了“{shown_name(taken[student.id])}”，这一个没有用。"
        return replace(outcome, code="PHOTO_TWICE", message=said)
    try:
        portrait = check_portrait(file.content)
    except XuekaError as error:
        action = "点“处理”就可以裁剪。" if student and error.code in CROPPABLE else error.action or ""
        return replace(outcome, code=error.code, message=f"{error.message}{action}")
    if student is None:
        return replace(outcome, code="PHOTO_STUDENT_UNKNOWN", message=_UNKNOWN)
    photo = keep(actor, student, portrait)
    return replace(outcome, photo_id=photo.id, findings=portrait.findings)


def _student_of(actor: Actor, students: dict[int, registry.Student], stem: str) -> registry.Student | None:
    by_education_id = {student.education_id: student.id for student in students.values()}
    if found := photo_names.certain(stem, by_education_id):
        return students[found]
    for number in photo_names.numbers(stem):
        if len(number) >= 6 and (owner := registry.find_by_id_number(actor.scope, number)):
            return students.get(owner.id)
    return None


def _remember(
    actor: Actor,
    where: registry.SchoolClass,
    students: list[registry.Student],
    file: Member,
    outcome: PhotoOutcome,
) -> None:
    likely = None
    if outcome.student_id is None:
        children = [photo_names.Child(each.id, each.education_id, each.name) for each in students]
        likely = photo_names.likely(PurePosixPath(file.name).stem, children)
    # What is sent again takes the place of what was sent before.
    before = UnusedPhoto.objects.filter(school_class=where, file_name=shown_name(file.name), student=None)
    forget_unused(before)
    if outcome.student_id:
        forget_unused(UnusedPhoto.objects.filter(student_id=outcome.student_id))
    kept = None
    if outcome.code in (*CROPPABLE, "PHOTO_STUDENT_UNKNOWN"):
        kept = store(actor, "photo", "application/octet-stream", file.content, personal=True)
    UnusedPhoto.objects.create(
        school_class=where,
        student_id=outcome.student_id,
        likely_id=likely,
        file=kept,
        file_name=shown_name(file.name),
        code=outcome.code,
        message=outcome.message[:300],
        uploaded_at=clock.now(),
        uploaded_by=actor.username,
    )


def shown_name(file_name: str) -> str:
    """A photo is often named by an identity number: long runs of digits keep their ends only."""
    name = PurePosixPath(file_name).name or file_name
    return re.sub(r"\d{11,17}[\dXx]?", lambda found: mask_id(found[0]), name)[:120]

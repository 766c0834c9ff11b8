"""Portraits: checked, kept sealed, and put on what waits for them."""

from django.db.models import F, Q, QuerySet

from xueka.contexts.cards.domain import states
from xueka.contexts.cards.models import Application, Photo, UnusedPhoto
from xueka.contexts.cards.portrait import Box, Portrait, check_portrait
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, XuekaError
from xueka.platform.audit.services import record
from xueka.platform.files.models import StoredFile
from xueka.platform.files.services import read, store
from xueka.platform.identity.actor import Actor


def upload_photo(
    actor: Actor, student_id: int, content: bytes, file_name: str, crop: Box | None = None
) -> Photo:
    """Check a portrait, keep it sealed, and put it on the student's drafts and returned applications.

    `crop` takes this part of the picture. Raises NotFound for a student who is not the actor's, BadInput with
    a code PHOTO_… for a photo that cannot be used.
    """
    actor.require("school:photo:upload")
    student = registry.Student.objects.visible_to(actor.scope).filter(id=student_id).first()
    if student is None:
        raise NotFound("STUDENT_NOT_FOUND", "没有这名学生。")
    try:
        portrait = check_portrait(content, crop=crop)
    except XuekaError as error:
        error.where = file_name
        raise
    photo = keep(actor, student, portrait)
    codes = [finding["code"] for finding in portrait.findings]
    record(
        actor, "photo.upload", "student", student.education_id, detail={"photo": photo.id, "findings": codes}
    )
    return photo


def photo_bytes(actor: Actor, photo_id: int) -> bytes:
    """The JPEG of a photo; NotFound where its student is not the actor's."""
    actor.require("school:student:read")
    photo = Photo.objects.visible_to(actor.scope).select_related("file").filter(id=photo_id).first()
    if photo is None:
        raise NotFound("PHOTO_NOT_FOUND", "没有这张照片。")
    return read(photo.file)


def keep(actor: Actor, student: registry.Student, portrait: Portrait) -> Photo:
    """The student's photo from now on; the caller has checked that she is the actor's, and audits."""
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
    asks_for_it = Q(kind__photo_required=True) | ~Q(kind_version=F("kind__version"))
    Application.objects.visible_to(actor.scope).filter(
        asks_for_it, account__student=student, state__in=[states.DRAFT, states.RETURNED]
    ).update(photo=photo, updated_at=clock.now())
    forget_unused(UnusedPhoto.objects.filter(student=student))
    return photo


def forget_unused(rows: QuerySet[UnusedPhoto]) -> int:
    """Delete these and their bytes; returns how many."""
    found = list(rows.values_list("id", "file_id"))
    UnusedPhoto.objects.filter(id__in=[id_ for id_, _ in found]).delete()
    StoredFile.objects.filter(id__in=[file_id for _, file_id in found if file_id]).delete()
    return len(found)

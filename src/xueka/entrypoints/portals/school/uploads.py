"""Photos of a class as they come from a school: a ZIP, or files one by one; a bad one stops no other.

What was wrong is kept in the session until the next upload, so that the page can say it beside the student.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import BadInput, XuekaError
from xueka.kernel.masking import mask_id
from xueka.platform.identity.sessions import StaffRequest

_KEY = "photo_defects"
_STRANGERS_KEPT = 50


@dataclass(frozen=True, slots=True)
class Taken:
    good: int
    bad: int


def take(request: StaffRequest, class_id: int, candidates: list[registry.Student]) -> Taken:
    """Judge and keep every photo. Raises BadInput where nothing came or a ZIP cannot be read at all."""
    files: list[UploadedFile] = request.FILES.getlist("files")
    if not files:
        raise BadInput(
            "PHOTO_FILE_MISSING", "没有收到照片文件。", action="请选择一个 ZIP 或若干张 JPEG 后再上传。"
        )
    outcomes: list[cards.PhotoOutcome] = []
    by_number = {student.education_id: student.id for student in candidates}
    for file in files:
        name = file.name or ""
        if name.lower().endswith(".zip"):
            outcomes += cards.upload_photo_archive(request.actor, file.read(), list(by_number.values()))
        else:
            outcomes.append(_single(request, by_number, name, file))
    _remember(request, class_id, outcomes)
    good = sum(outcome.photo_id is not None for outcome in outcomes)
    return Taken(good, len(outcomes) - good)


def _single(
    request: StaffRequest, by_number: dict[str, int], name: str, file: UploadedFile
) -> cards.PhotoOutcome:
    student_id = by_number.get(PurePath(name).stem)
    if student_id is None:
        return cards.PhotoOutcome(
            name, code="PHOTO_STUDENT_UNKNOWN", message="文件名对应不到本班待申领的学生，应为教育ID。"
        )
    try:
        photo = cards.upload_photo(request.actor, student_id, file.read(), name)
    except XuekaError as error:
        return cards.PhotoOutcome(
            name, student_id, code=error.code, message=f"{error.message}{error.action or ''}"
        )
    return cards.PhotoOutcome(name, student_id, photo.id, findings=photo.findings)


def _remember(request: StaffRequest, class_id: int, outcomes: list[cards.PhotoOutcome]) -> None:
    fixed = {outcome.student_id for outcome in outcomes if outcome.photo_id}
    kept = {student: text for student, text in defects(request, class_id).items() if student not in fixed}
    kept |= {each.student_id: each.message for each in outcomes if each.student_id and not each.photo_id}
    unknown = [
        (_shown(PurePath(each.file_name).name), each.message) for each in outcomes if each.student_id is None
    ]
    request.session[_KEY] = {
        "class": class_id,
        "defects": {str(student): text for student, text in kept.items() if student not in fixed},
        "strangers": unknown[:_STRANGERS_KEPT],
    }


def _shown(file_name: str) -> str:
    """Photos are often named by identity number: long runs of digits keep their ends only."""
    return re.sub(r"\d{11,17}[\dXx]?", lambda found: mask_id(found[0]), file_name)[:60]


def _kept(request: StaffRequest, class_id: int) -> dict[str, Any]:
    found: dict[str, Any] = request.session.get(_KEY, {})
    return found if found.get("class") == class_id else {}


def defects(request: StaffRequest, class_id: int) -> dict[int, str]:
    """Student id → what is wrong with the photo that was sent for her."""
    return {int(student): text for student, text in _kept(request, class_id).get("defects", {}).items()}


def strangers(request: StaffRequest, class_id: int) -> list[tuple[str, str]]:
    """Files of the last upload that belong to nobody here, each with the reason."""
    return [(name, text) for name, text in _kept(request, class_id).get("strangers", [])]

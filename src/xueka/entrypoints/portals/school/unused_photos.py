"""Files of an upload that became nobody's photo: given to the right child, cropped, or thrown away."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design.cropping import CropBox
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Link
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.school import places
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_SECONDS = 300
_BOX = ("x", "y", "frame_width", "frame_height")


@require_GET
@portal_view("school:photo:upload")
def picture(request: StaffRequest, class_id: int, unused_id: int) -> HttpResponse:
    _of_class(request, class_id, unused_id)
    content, _, _ = cards.unused_picture(request.actor, unused_id)
    answer = HttpResponse(content, content_type="image/jpeg")
    answer.headers["Cache-Control"] = f"private, max-age={_SECONDS}"
    return answer


@require_POST
@portal_view("school:photo:upload")
def use(request: StaffRequest, class_id: int, unused_id: int) -> HttpResponse:
    """It is this child's photo after all."""
    _of_class(request, class_id, unused_id)
    student = request.POST.get("student", "")
    if not student.isdecimal():
        raise BadInput("STUDENT_MISSING", "没有选学生。", action="请选择这是谁的照片。")
    photo = cards.use_photo(request.actor, unused_id, int(student))
    flash(request, f"{photo.student.name}的照片合格，已收下。")
    return redirect("school:apply_class", class_id)


@require_POST
@portal_view("school:photo:upload")
def drop(request: StaffRequest, class_id: int, unused_id: int) -> HttpResponse:
    found = _of_class(request, class_id, unused_id)
    cards.drop_unused(request.actor, unused_id)
    flash(request, f"“{found.file_name}”已删除。")
    return redirect("school:apply_class", class_id)


@require_http_methods(["GET", "POST"])
@portal_view("school:photo:upload")
def crop(request: StaffRequest, class_id: int, unused_id: int) -> HttpResponse:
    """The right part of a photo whose proportions are wrong."""
    found = _of_class(request, class_id, unused_id)
    student = found.student
    if student is None:
        raise NotFound("PHOTO_NOT_FOUND", "还不知道这是谁的照片。", action="请先选择学生。")
    if request.method == "POST":
        given = [request.POST.get(name, "") for name in _BOX]
        if not all(number.isdecimal() and len(number) < 7 for number in given):
            raise BadInput("PHOTO_CROP", "裁剪框不完整。", action="请重新框选。")
        cards.use_photo(request.actor, unused_id, student.id, cards.Box(*map(int, given)))
        flash(request, f"{student.name}的照片已裁剪，合格。")
        return redirect("school:apply_class", class_id)
    _, width, height = cards.unused_picture(request.actor, unused_id)
    box = cards.first_box(width, height)
    shown = {
        "title": f"裁剪{student.name}的照片",
        "why": "拖动方框，或用三个滑块（方向键也行）框好，再裁剪使用。",
        "back": Link("返回本班", reverse("school:apply_class", args=[class_id])),
        "student": shapes.student_link(student),
        "crop": CropBox(
            request.path,
            reverse("school:unused_picture", args=[class_id, unused_id]),
            f"{student.name}的照片",
            width,
            height,
            *box[:2],
            box.width,
            box.height,
            least=box.width // 4,
        ),
    }
    return render(request, "school/crop.html", shown)


def _of_class(request: StaffRequest, class_id: int, unused_id: int) -> cards.UnusedPhoto:
    places.own_class(request.actor, class_id)
    found = cards.unused_photo(request.actor, unused_id)
    if found.school_class_id != class_id:
        raise NotFound("PHOTO_NOT_FOUND", "没有这张照片。")
    return found

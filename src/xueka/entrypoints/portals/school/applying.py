"""Applying for a class: photos in, look, all that are good, submit."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, DropZone, Link, PhotoCard
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.school import kinds, places, uploads
from xueka.kernel.errors import BadInput
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_RESULT = "applied"


@require_GET
@portal_view("school:application:submit")
def classes(request: StaffRequest) -> HttpResponse:
    """Which class? Those with students to apply for come with their number."""
    kind = kinds.chosen(request)
    found = cards.progress(request.actor.scope, kind.code)
    rows = [_class_row(each, kind.code) for each in found]
    shown = {
        "kind": kind,
        "others": [Link(each.name, f"?kind={each.code}") for each in cards.kinds() if each.code != kind.code],
        "rows": rows,
        "left": sum(row[1] for row in rows),
    }
    return render(request, "school/apply.html", shown)


def _class_row(each: cards.Progress, kind: str) -> tuple[Link, int, int, int]:
    stage, grade, name = each.label
    url = f"{reverse('school:apply_class', args=[each.id])}?kind={kind}"
    left = each.without + each.applied("draft")
    label = production.class_label(stage, grade, name)
    return Link(label, url), left, each.students - left - each.holding, each.holding


@require_GET
@portal_view("school:application:submit")
def school_class(request: StaffRequest, class_id: int) -> HttpResponse:
    """Every student of the class without a card as a small picture, good or with the defect in words."""
    actor: Actor = request.actor
    kind = kinds.chosen(request)
    own = places.own_class(actor, class_id)
    candidates = _candidates(actor, kind, class_id)
    defects = uploads.defects(request, class_id)
    photos = cards.latest_photos(actor.scope, [student.id for student in candidates])
    pictures = [
        _picture(
            student, photos.get(student.id), defects.get(student.id, ""), kind, request.GET.get("select")
        )
        for student in candidates
    ]
    good = sum(1 for each in pictures if each.key and not each.defect)
    chosen = sum(1 for each in pictures if each.selected)
    here = reverse("school:apply_class", args=[class_id])
    shown = {
        "kind": kind,
        "name": shapes.class_of(own),
        "class_id": class_id,
        "pictures": pictures,
        "good": good,
        "bad": len(pictures) - good,
        "selected": chosen,
        "strangers": uploads.strangers(request, class_id),
        "choose": Action(
            f"全选合格 {good} 人",
            f"{here}?kind={kind.code}&select=good#photos",
            icon="checks",
            tone="default" if chosen else "primary",
        ),
        "drop": DropZone(
            reverse("school:apply_photos", args=[class_id]),
            name="files",
            label="把本班照片拖到这里，或点此选择",
            hint="一个 ZIP，或多张 JPEG；文件名为教育ID。过大的照片会自动压缩",
            accept=".zip,.jpg,.jpeg",
            multiple=True,
            button="上传并检查",
            params={"kind": kind.code},
        )
        if kind.photo_required and pictures
        else None,
        "back": Link("全部班级", f"{reverse('school:apply')}?kind={kind.code}"),
        "next_words": _next_words(actor, kind),
    }
    return render(request, "school/apply_class.html", shown)


@require_POST
@portal_view("school:photo:upload")
def photos(request: StaffRequest, class_id: int) -> HttpResponse:
    """Photos of the class, as a ZIP or one by one; what is wrong with one is shown with its student."""
    kind = kinds.chosen(request)
    places.own_class(request.actor, class_id)
    candidates = _candidates(request.actor, kind, class_id)
    taken = uploads.take(request, class_id, candidates)
    flash(
        request,
        f"收下照片 {taken.good} 张"
        + (f"，{taken.bad} 个文件有问题，写在下面" if taken.bad else "，都合格")
        + "。",
        "wait" if taken.bad else "ok",
    )
    return redirect(f"{reverse('school:apply_class', args=[class_id])}?kind={kind.code}")


@require_POST
@portal_view("school:application:submit")
def submit(request: StaffRequest, class_id: int) -> HttpResponse:
    """Open an application for each chosen student and hand all of them in."""
    actor: Actor = request.actor
    kind = kinds.chosen(request)
    places.own_class(actor, class_id)
    candidates = {student.id: student for student in _candidates(actor, kind, class_id)}
    chosen = [int(key) for key in request.POST.getlist("keys") if key.isdecimal()]
    chosen = [key for key in chosen if key in candidates]
    if not chosen:
        raise BadInput(
            "SELECTION_EMPTY", "没有选中任何学生。", action="请返回，点“全选合格”或逐个勾选后再提交。"
        )
    drafts = {each.account.student_id: each.id for each in _drafts(actor, kind, class_id)}
    made = cards.create_applications(actor, [key for key in chosen if key not in drafts], kind.code)
    result = cards.submit(actor, [*made.done, *(drafts[key] for key in chosen if key in drafts)])
    names = {
        each.id: each.account.student.name
        for each in cards.applications_by_id(actor.scope, [i for i, _, _ in result.refused])
    }
    request.session[_RESULT] = {
        "class": class_id,
        "done": result.done,
        "refused": [(candidates[i].name, message) for i, _, message in made.refused]
        + [(names[i], message) for i, _, message in result.refused],
    }
    return redirect(reverse("school:apply_done", args=[class_id]))


@require_GET
@portal_view("school:application:submit")
def done(request: StaffRequest, class_id: int) -> HttpResponse:
    """How many were handed in, and who has them now."""
    result: dict[str, Any] = request.session.get(_RESULT, {})
    if result.get("class") != class_id:
        return redirect(reverse("school:apply_class", args=[class_id]))
    own = places.own_class(request.actor, class_id)
    found = cards.applications_by_id(request.actor.scope, result["done"])
    shown = {
        "name": shapes.class_of(own),
        "count": len(found),
        "title": f"已提交 {len(found)} 份申领" if found else "没有提交",
        "sub": f"下一步：{shapes.next_level(found[0])}" if found else "",
        "applications": [
            Link(each.account.student.name, shapes.application_url(each.number)) for each in found
        ],
        "refused": result["refused"],
        "actions": [
            Action("申领下一个班", reverse("school:apply"), icon="send", tone="primary"),
            Action("看申领进度", reverse("objects:applications"), icon="file-check"),
        ],
    }
    return render(request, "school/apply_done.html", shown)


def _drafts(actor: Actor, kind: cards.CardKind, class_id: int) -> list[cards.Application]:
    rows = cards.application_rows(actor.scope).filter(state="draft", kind=kind, old_card=None)
    return list(rows.filter(account__student__school_class_id=class_id))


def _candidates(actor: Actor, kind: cards.CardKind, class_id: int) -> list[registry.Student]:
    """Students of the class with neither card nor application, and those with a draft."""
    without = list(cards.without_card(actor.scope, kind.code, class_id=class_id))
    drafted = [each.account.student for each in _drafts(actor, kind, class_id)]
    return sorted([*without, *drafted], key=lambda student: (student.sort_key, student.id))


def _picture(
    student: registry.Student,
    photo: cards.Photo | None,
    defect: str,
    kind: cards.CardKind,
    select: str | None,
) -> PhotoCard:
    findings = photo.findings if photo else []
    doubtful = [each["message"] for each in findings if each["code"] in cards.DOUBTS]
    if not defect and photo is None and kind.photo_required:
        defect = "没有照片"
    repaired = "；".join(each["message"] for each in findings)
    if doubtful:
        repaired = f"可以提交，但审核会逐个看：{repaired}"
    return PhotoCard(
        key=str(student.id),
        name=student.name,
        photo_url=shapes.photo_url(photo.id if photo else None),
        note=student.education_id,
        defect=defect,
        repaired=repaired,
        url=shapes.student_url(student.education_id) if defect or doubtful else "",
        selected=select == "good" and not defect and not doubtful,
    )


def _next_words(actor: Actor, kind: cards.CardKind) -> str:
    if not kind.review_levels:
        return "提交后直接受理。"
    own = registry.school(actor.scope, actor.scope.school)
    names = {"school": "本校审核人", "district": own.district.name, "city": "市级"}
    return f"提交后由{names[kind.review_levels[0]]}审核。"

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
from xueka.entrypoints.design.ui import Action, Confirm, DropZone, Link, PhotoCard
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.school import kinds, places
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
    candidates = candidates_of(actor, kind, class_id)
    unused = cards.unused_photos(actor, class_id)
    defects = {each.student_id: each for each in unused if each.student_id}
    photos = cards.latest_photos(actor.scope, [student.id for student in candidates])
    pictures = [
        _picture(student, photos.get(student.id), defects.get(student.id), kind, request.GET.get("select"))
        for student in candidates
    ]
    good = sum(1 for each in pictures if each.key and not each.defect)
    chosen = sum(1 for each in pictures if each.selected)
    here, rule = reverse("school:apply_class", args=[class_id]), cards.photo_rule()
    shown = {
        "kind": kind,
        "name": shapes.class_of(own),
        "class_id": class_id,
        "pictures": pictures,
        "good": good,
        "bad": len(pictures) - good,
        "selected": chosen,
        "strangers": [_stranger(each) for each in unused if each.student_id is None],
        "lacking": [each for each in candidates if each.id not in photos],
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
            hint="一个 ZIP，或多张 JPEG、PNG；文件名为教育ID或证件号码。"
            f"学籍照片 {rule.width} × {rule.height} 像素，浅色背景；过大的自动压缩",
            accept=".zip,.jpg,.jpeg,.png",
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
    files = request.FILES.getlist("files")
    if not files:
        raise BadInput(
            "PHOTO_FILE_MISSING", "没有收到照片文件。", action="请选择一个 ZIP 或若干张照片后再上传。"
        )
    students = [student.id for student in candidates_of(request.actor, kind, class_id)]
    outcomes = cards.upload_photos(
        request.actor, class_id, students, ((file.name or "照片", file.read()) for file in files)
    )
    good = sum(outcome.photo_id is not None for outcome in outcomes)
    bad = len(outcomes) - good
    flash(
        request,
        f"收下照片 {good} 张" + (f"，{bad} 个文件有问题，写在下面" if bad else "，都合格") + "。",
        "wait" if bad else "ok",
    )
    return redirect(f"{reverse('school:apply_class', args=[class_id])}?kind={kind.code}")


@require_POST
@portal_view("school:application:submit")
def submit(request: StaffRequest, class_id: int) -> HttpResponse:
    """Open an application for each chosen student and hand all of them in."""
    actor: Actor = request.actor
    kind = kinds.chosen(request)
    places.own_class(actor, class_id)
    candidates = {student.id: student for student in candidates_of(actor, kind, class_id)}
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
    own = places.own_class(request.actor, class_id)
    result: dict[str, Any] = request.session.get(_RESULT, {})
    if result.get("class") != class_id:
        return redirect(reverse("school:apply_class", args=[class_id]))
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
            *([_undo(result["done"], class_id)] if found else []),
            Action("看申领进度", reverse("objects:applications"), icon="file-check"),
        ],
    }
    return render(request, "school/apply_done.html", shown)


def _undo(ids: list[int], class_id: int) -> Action:
    ask = Confirm(f"撤回这 {len(ids)} 份", "还没有受理的会撤回，学生回到待申领；照片都还在。", "撤回")
    params = {"keys": ids, "next": reverse("school:apply_class", args=[class_id])}
    url = reverse("objects:bulk_do", args=["withdraw"])
    return Action(f"撤回这 {len(ids)} 份", url, "post", "arrow-back-up", confirm=ask, params=params)


def _stranger(unused: cards.UnusedPhoto) -> dict[str, Any]:
    """A file that belongs to nobody here: what it is called, why, and what can be done with it."""
    args = [unused.school_class_id, unused.id]
    use, drop = reverse("school:unused_use", args=args), reverse("school:unused_drop", args=args)
    likely = unused.likely if unused.file_id else None
    guess = f"用作{likely.name}的照片" if likely else ""
    return {
        "id": unused.id,
        "name": unused.file_name,
        "why": unused.message,
        "picture": reverse("school:unused_picture", args=args) if unused.file_id else "",
        "use_url": use if unused.file_id else "",
        "guess": Action(guess, use, "post", "user-check", params={"student": likely.id}) if likely else None,
        "drop": Action("不要", drop, "post", "trash"),
    }


def _drafts(actor: Actor, kind: cards.CardKind, class_id: int) -> list[cards.Application]:
    rows = cards.application_rows(actor.scope).filter(state="draft", kind=kind, old_card=None)
    return list(rows.filter(account__student__school_class_id=class_id))


def candidates_of(actor: Actor, kind: cards.CardKind, class_id: int) -> list[registry.Student]:
    """Students of the class with neither card nor application, and those with a draft."""
    without = list(cards.without_card(actor.scope, kind.code, class_id=class_id))
    drafted = [each.account.student for each in _drafts(actor, kind, class_id)]
    return sorted([*without, *drafted], key=lambda student: (student.sort_key, student.id))


def _picture(
    student: registry.Student,
    photo: cards.Photo | None,
    unused: cards.UnusedPhoto | None,
    kind: cards.CardKind,
    select: str | None,
) -> PhotoCard:
    defect = unused.message if unused else ""
    mend = shapes.student_url(student.education_id)
    if unused and unused.file_id:
        mend = reverse("school:crop", args=[unused.school_class_id, unused.id])
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
        url=mend if defect or doubtful else "",
        selected=select == "good" and not defect and not doubtful,
    )


def _next_words(actor: Actor, kind: cards.CardKind) -> str:
    if not kind.review_levels:
        return "提交后直接受理。"
    own = registry.school(actor.scope, actor.scope.school)
    names = {"school": "本校审核人", "district": own.district.name, "city": "市级"}
    return f"提交后由{names[kind.review_levels[0]]}审核。"

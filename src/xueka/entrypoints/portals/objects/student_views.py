"""The page of a student: who, which cards, what happened; consent, sort key, photo, unmasking."""

from dataclasses import replace
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Badge, Confirm, DropZone, Event, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import entitlements, shapes
from xueka.kernel.errors import BadInput, NotFound
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_PERSONAL = {
    "id_number": "证件号码",
    "national_number": "全国学籍号",
    "birth_date": "出生日期",
    "address": "家庭住址",
}
_PHOTO_SECONDS = 300
_CLOSE_REASONS = [
    ("离京", "学生离京或出国"),
    ("离校", "毕业或离校，不再用卡"),
    ("重复", "与另一个账户重复"),
    ("家长要求", "家长要求"),
    ("其他", "其他（请写明）"),
]


class ConsentForm(WordedForm):
    action = forms.ChoiceField(
        label="监护人", choices=list(registry.CONSENT_ACTIONS.items()), widget=forms.RadioSelect
    )
    method = forms.ChoiceField(label="方式", choices=list(registry.CONSENT_METHODS.items()))
    notice_version = forms.CharField(
        label="告知书版本", max_length=32, help_text="印在告知书页脚，例如 2024-1。"
    )
    given_by = forms.CharField(label="签名的监护人", max_length=64, required=False)


class SortKeyForm(WordedForm):
    sort_key = forms.CharField(
        label="排序拼音",
        max_length=200,
        required=False,
        help_text="名册按它排序。每个字的拼音用空格隔开，例如 shan tian fang；留空恢复自动拼音。",
    )


@require_GET
@portal_view("school:student:read")
def student(request: StaffRequest, education_id: str) -> HttpResponse:
    return _page(request, registry.student(request.actor.scope, education_id))


@require_POST
@portal_view("school:consent:record")
def consent(request: StaffRequest, education_id: str) -> HttpResponse:
    found = registry.student(request.actor.scope, education_id)
    form = ConsentForm(request.POST)
    if not form.is_valid():
        return _page(request, found, consent_form=form, status=400)
    registry.record_consent(request.actor, [found.id], **form.cleaned_data)
    said = registry.CONSENT_ACTIONS[form.cleaned_data["action"]]
    flash(request, f"已登记：{found.name}的监护人{said}。")
    return redirect(shapes.student_url(education_id))


@require_POST
@portal_view("city:account:close")
def account_act(request: StaffRequest, education_id: str, verb: str) -> HttpResponse:
    """Close or reopen the student's card account, with the reason."""
    account = cards.account(request.actor.scope, education_id)
    do = {"close": cards.close_account, "reopen": cards.reopen_account}.get(verb)
    if do is None:
        raise Http404
    said = (request.POST.get("reason", ""), request.POST.get("note", "").strip())
    do(request.actor, account.id, "：".join(part for part in said if part))
    done = "已销户，不能再申领" if verb == "close" else "已恢复，可以重新申领"
    flash(request, f"{account.student.name}的卡账户 {account.number} {done}。")
    return redirect(shapes.student_url(education_id))


@require_POST
@portal_view("school:student:correct")
def sort_key(request: StaffRequest, education_id: str) -> HttpResponse:
    found = registry.student(request.actor.scope, education_id)
    form = SortKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, found, sort_form=form, status=400)
    try:
        key = registry.correct_sort_key(request.actor, found.id, form.cleaned_data["sort_key"])
    except BadInput as refusal:
        form.add_error("sort_key", f"{refusal.message}{refusal.action or ''}")
        return _page(request, found, sort_form=form, status=400)
    flash(request, f"{found.name}现在按“{key}”排序。")
    return redirect(shapes.student_url(education_id))


@require_POST
@portal_view("school:photo:upload")
def photo_upload(request: StaffRequest, education_id: str) -> HttpResponse:
    """A new photo; it also replaces the one on drafts and returned applications."""
    found = registry.student(request.actor.scope, education_id)
    file = request.FILES.get("file")
    if file is None:
        raise BadInput("PHOTO_FILE_MISSING", "没有收到照片文件。", action="请选择一张 JPEG 照片后再上传。")
    kept = cards.upload_photo(request.actor, found.id, file.read(), file.name or "照片")
    notes = "；".join(finding["message"] for finding in kept.findings)
    flash(request, f"{found.name}的照片合格，已收下。{notes}")
    application = request.POST.get("application", "")
    if application:
        return redirect(shapes.application_url(cards.application(request.actor.scope, application).number))
    return redirect(shapes.student_url(education_id))


@require_POST
@portal_view("school:student:unmask")
def reveal(request: StaffRequest, education_id: str, field: str) -> HttpResponse:
    """One personal value in clear, as text; `personal` audits who asked and why."""
    found = registry.student(request.actor.scope, education_id)
    values = registry.personal(request.actor, found.id, request.POST.get("reason", ""))
    answer = values[field] if field in _PERSONAL else _guardian_value(values["guardians"], field)
    shown = HttpResponse(answer or "（空）", content_type="text/plain; charset=utf-8")
    shown.headers["Cache-Control"] = "no-store"
    return shown


def _guardian_value(guardians: list[dict[str, str]], field: str) -> str:
    """`guardian-0-phone` → the phone of the first guardian."""
    parts = field.split("-")
    if (
        len(parts) != 3
        or parts[0] != "guardian"
        or parts[2] not in ("name", "phone")
        or not parts[1].isdecimal()
    ):
        raise Http404
    if int(parts[1]) >= len(guardians):
        raise Http404
    return guardians[int(parts[1])][parts[2]]


@require_GET
@portal_view("school:student:read")
def photo(request: StaffRequest, photo_id: int) -> HttpResponse:
    content = cards.photo_bytes(request.actor, photo_id)
    answer = HttpResponse(content, content_type="image/jpeg")
    answer.headers["Cache-Control"] = f"private, max-age={_PHOTO_SECONDS}"
    return answer


def _page(
    request: StaffRequest,
    found: registry.Student,
    *,
    consent_form: forms.Form | None = None,
    sort_form: forms.Form | None = None,
    status: int = 200,
) -> HttpResponse:
    actor: Actor = request.actor
    history, account = _history(actor, found)
    applications = cards.applications(actor.scope, search=found.education_id)
    held = cards.cards(actor.scope, search=found.education_id)
    live = [each for each in held if each.state in cards.LIVE]
    latest = cards.latest_photos(actor.scope, [found.id]).get(found.id)
    consents = registry.consents(actor.scope, found.id)
    shown = {
        "student": found,
        "head": ObjectHead(
            title=found.name,
            number=f"教育ID {found.education_id}",
            kind="学生",
            stage=shapes.STAGES.get(found.school_class.stage, ""),
            state=states.badge("account", account.state) if account else Badge("还没有卡账户", "neutral"),
            picture_url=shapes.photo_url(latest.id if latest else None),
            picture_alt=f"{found.name}的照片",
            facts=[
                Fact("学校", found.school.name),
                Fact("班级", shapes.class_of(found.school_class)),
                Fact("性别", found.sex),
                Fact("学籍状态", found.status),
                Fact("在本班自", found.enrolled_from),
                Fact("排序拼音", found.sort_key, "人工更正" if found.sort_key_by_hand else ""),
            ],
            actions=[
                *_actions(actor, found, applications, held),
                *_account_actions(actor, found, account, applications, held),
                *_transfer_actions(actor, found),
                *_family_actions(actor, found),
            ],
        ),
        "personal": _personal(found),
        "neighbours": _neighbours(actor, applications, held),
        "events": history,
        "entitlements": entitlements.shown(actor, live),
        "several": len(live) > 1,
        "consents": [_consent_event(each) for each in consents],
        "may_consent": actor.may("school:consent:record"),
        "consent_form": consent_form or ConsentForm(initial={"action": "given", "method": "paper"}),
        "may_correct": actor.may("school:student:correct"),
        "sort_form": sort_form or SortKeyForm(initial={"sort_key": found.sort_key}),
    }
    if actor.may("school:photo:upload"):
        shown["drop"] = photo_drop(found.education_id)
    return render(request, "objects/student.html", shown, status=status)


def _neighbours(actor: Actor, applications: list[cards.Application], held: list[cards.Card]) -> list[Link]:
    """Only what she may open."""
    found: list[Link] = []
    if actor.may("school:card:read"):
        found += [shapes.card_link(card) for card in reversed(held)]
    if actor.may("school:application:read"):
        found += [shapes.application_link(each) for each in reversed(applications)]
    return found


def photo_drop(education_id: str, application: str = "") -> DropZone:
    """Where a better photo is dropped; afterwards the page of the application, if it is for one."""
    return DropZone(
        reverse("objects:photo_upload", args=[education_id]),
        label="把新照片拖到这里，或点此选择",
        hint="JPEG，浅色背景；过大会自动压缩到 60 KB 以内",
        accept=".jpg,.jpeg",
        max_mb=10,
        button="上传照片",
        params={"application": application} if application else {},
    )


def _history(actor: Actor, found: registry.Student) -> tuple[list[Event], cards.CardAccount | None]:
    try:
        account = cards.account(actor.scope, found.education_id)
    except NotFound:
        return [], None
    events = shapes.events(cards.timeline(actor.scope, found.education_id))
    if not actor.may("school:card:read"):  # the numbers alone
        events = [replace(each, links=[Link(link.text, "") for link in each.links]) for each in events]
    return events, account


def _actions(
    actor: Actor, found: registry.Student, applications: list[cards.Application], held: list[cards.Card]
) -> list[Action]:
    if not actor.may("school:application:submit") or actor.scope.level != "school":
        return []
    if found.status not in cards.ENTITLED:
        return [Action("申领", disabled_reason=f"学籍状态为“{found.status}”，不能申领。", icon="send")]
    live = [card for card in held if card.state in cards.LIVE]
    working = [each for each in applications if not cards.APPLICATION.state(each.state).final]
    if working:
        return [
            Action(
                "看办理中的申领",
                shapes.application_url(working[-1].number),
                icon="file-check",
                tone="primary",
            )
        ]
    if live:
        word = "补卡：看挂失的卡" if any(card.state == "lost" for card in live) else "挂失、换卡：看卡"
        card = min(live, key=lambda card: card.state != "lost")
        return [Action(word, reverse("objects:card", args=[card.number]), icon="id", tone="primary")]
    url = reverse("school:apply_class", args=[found.school_class_id])
    return [Action("到班级申领", url, icon="send", tone="primary")]


def _family_actions(actor: Actor, found: registry.Student) -> list[Action]:
    if not actor.may("school:family:manage"):
        return []
    return [Action("监护人手机", reverse("objects:guardians", args=[found.education_id]), icon="users")]


def _transfer_actions(actor: Actor, found: registry.Student) -> list[Action]:
    if not actor.may("school:transfer:ask") or actor.scope.level != "school":
        return []
    if found.status not in registry.PRESENT:
        return []
    return [
        Action("申请转学", f"{reverse('school:transfer_new')}?student={found.education_id}", icon="transfer")
    ]


def _account_actions(
    actor: Actor,
    found: registry.Student,
    account: cards.CardAccount | None,
    applications: list[cards.Application],
    held: list[cards.Card],
) -> list[Action]:
    """Close or reopen the account, for whoever may; while something lives in it the button says what."""
    if account is None:
        return []
    verb = "close" if cards.ACCOUNT.allows("close", account.state) else "reopen"
    if not actor.may(cards.ACCOUNT.permission(verb)):
        return []
    url = reverse("objects:account_act", args=[found.education_id, verb])
    if verb == "reopen":
        question = Confirm("恢复账户", f"{found.name}的卡账户恢复后可以重新申领。", "恢复账户", "required")
        return [Action("恢复账户", url, "post", "lock-open", confirm=question)]
    living = [card.number for card in held if card.state in (*cards.LIVE, *cards.BEFORE_HAND_OUT)]
    working = [each.number for each in applications if not cards.APPLICATION.state(each.state).final]
    why = ""
    if working:
        why = f"申领 {working[0]} 正在办理，请先撤回或取消。"
    elif living:
        why = f"卡 {living[0]} 在用或在途，请先注销。"
    question = Confirm(
        "销户", f"{found.name}的卡账户销户后不能再申领，以后可以恢复。", "销户", "required", _CLOSE_REASONS
    )
    return [Action("销户", url, "post", "user-off", disabled_reason=why, confirm=question)]


def _personal(found: registry.Student) -> list[dict[str, Any]]:
    """(label, masked value, where the whole one is asked for)."""
    values = registry.masked_personal(found)
    rows = [_masked_row(found, label, values[field], field) for field, label in _PERSONAL.items()]
    for index, guardian in enumerate(values["guardians"]):
        relation = guardian["relation"] or "监护人"
        rows.append(_masked_row(found, relation, guardian["name"], f"guardian-{index}-name"))
        rows.append(_masked_row(found, f"{relation}手机", guardian["phone"], f"guardian-{index}-phone"))
    return [row for row in rows if row["shown"]]


def _masked_row(found: registry.Student, label: str, shown: str, field: str) -> dict[str, Any]:
    return {
        "label": label,
        "shown": shown,
        "url": reverse("objects:reveal", args=[found.education_id, field]),
    }


def _consent_event(each: registry.Consent) -> Event:
    given = each.action == "given"
    said = f"告知书 {each.notice_version}，{registry.CONSENT_METHODS.get(each.method, each.method)}"
    title = registry.CONSENT_ACTIONS[each.action]
    return Event(title, each.at, shapes.actor_name(each.recorded_by), said, "ok" if given else "stop")

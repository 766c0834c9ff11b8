"""The page of an application: photo, data, doubts, and the next step of whoever looks at it."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Confirm, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.objects.student_views import photo_drop
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_REASONS = list(cards.REASON_CODES.items())
_LOOKS = {
    "submit": ("send", "primary", ""),
    "approve": ("check", "primary", "a"),
    "send_back": ("arrow-back-up", "default", "r"),
    "refuse": ("ban", "danger", "f"),
    "recall": ("arrow-back-up", "default", ""),
    "withdraw": ("arrow-back-up", "default", ""),
    "to_counter": ("id", "default", ""),
    "to_bureau": ("building-factory-2", "default", ""),
    "cancel": ("ban", "danger", ""),
}


@require_GET
@portal_view("school:application:read")
def application(request: StaffRequest, number: str) -> HttpResponse:
    actor: Actor = request.actor
    found = cards.application(actor.scope, number)
    student = found.account.student
    timeline = cards.timeline(actor.scope, student.education_id)
    shown = {
        "application": found,
        "head": ObjectHead(
            title=student.name,
            number=found.number,
            kind=f"{found.kind.name} · {cards.REASONS[found.reason]}",
            stage=shapes.STAGES.get(found.school_class.stage, ""),
            state=states.badge("application", found.state),
            picture_url=shapes.photo_url(found.photo_id),
            picture_alt=f"{student.name}的照片",
            facts=[
                Fact("学校", found.school.name),
                Fact("班级", shapes.class_of(found.school_class)),
                Fact("现在由谁办", shapes.next_level(found)),
                Fact("提交", found.submitted_at, shapes.actor_name(found.submitted_by)),
            ],
            actions=actions(actor, found),
        ),
        "reason": shapes.reason(found),
        "reason_title": "不予受理的理由" if found.state == "refused" else "退回的理由",
        "findings": [finding["message"] for finding in found.photo.findings] if found.photo else [],
        "doubts": [cards.DOUBTS.get(code, code) for code in found.doubts],
        "neighbours": [
            shapes.student_link(student),
            *(shapes.card_link(card) for card in cards.cards(actor.scope, search=student.education_id)),
            *(
                [
                    Link(
                        found.old_card.number,
                        reverse("objects:card", args=[found.old_card.number]),
                        "原卡",
                        "id-off",
                    )
                ]
                if found.old_card
                else []
            ),
        ],
        "events": shapes.events(timeline, found.number),
    }
    if (
        found.state in ("draft", "returned")
        and actor.may("school:photo:upload")
        and found.kind.photo_required
    ):
        shown["drop"] = photo_drop(student.education_id, found.number)
    return render(request, "objects/application.html", shown)


@require_POST
@portal_view("school:application:read")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    """One step of one application; a refusal is shown as such, in the one manner."""
    if verb not in _LOOKS:
        raise Http404
    found = cards.application(request.actor.scope, number)
    result = do(request.actor, verb, [found.id], request.POST.get("reason", ""), request.POST.get("note", ""))
    if result.refused:
        _, code, message = result.refused[0]
        raise Refused(code, message, where=f"申领 {number}")
    found = cards.application(request.actor.scope, number)
    said = f"{found.account.student.name}：{cards.APPLICATION.event_label(verb)}。"
    flash(request, f"{said}现在{shapes.next_level(found)}。", undo=_undo(found, verb))
    onward = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(onward, allowed_hosts=None):
        return redirect(onward)
    return redirect(shapes.application_url(number))


def _undo(found: cards.Application, verb: str) -> Action | None:
    """One's own step is taken back by one key on whatever page comes next, which then shows this one."""
    if verb not in ("approve", "send_back"):
        return None
    return Action(
        "收回", reverse("objects:application_act", args=[found.number, "recall"]), "post", "arrow-back-up"
    )


def do(actor: Actor, verb: str, ids: list[int], code: str = "", text: str = "") -> cards.BulkResult:
    """The verb's service, whatever it needs to be told."""
    if verb in ("send_back", "refuse"):
        return {"send_back": cards.send_back, "refuse": cards.refuse}[verb](actor, ids, code, text)
    if verb == "cancel":
        return cards.cancel_applications(actor, ids, text or code)
    return {
        "to_counter": cards.to_counter,
        "to_bureau": cards.to_bureau,
        "submit": cards.submit,
        "withdraw": cards.withdraw,
        "approve": cards.approve,
        "recall": cards.recall,
    }[verb](actor, ids)


def actions(actor: Actor, found: cards.Application, onward: str = "") -> list[Action]:
    """What this person may do to the application now, or why not; `onward` is where to go afterwards."""
    drawn = []
    for verb in _LOOKS:
        if not cards.APPLICATION.allows(verb, found.state):
            continue
        if not actor.may(cards.APPLICATION.permission(verb, found.state)):
            continue
        preview = cards.preview_counter if verb in ("to_counter", "to_bureau") else cards.preview
        refused = [message for _, _, message in preview(verb, actor, [found.id]).refused]
        if not refused or verb != "recall":  # somebody else's step is not worth a button
            drawn.append(_action(found, verb, onward, refused[0] if refused else ""))
    return drawn


def send_back_actions(found: cards.Application, onward: str) -> list[Action]:
    """Sending back with one key for each reason that needs no words."""
    url = reverse("objects:application_act", args=[found.number, "send_back"])
    return [
        Action(label, url, "post", params={"reason": code, "next": onward}, hotkey=str(place))
        for place, (code, label) in enumerate(_REASONS, start=1)
        if code != "other"
    ]


def _action(found: cards.Application, verb: str, onward: str, why_not: str) -> Action:
    icon, tone, key = _LOOKS[verb]
    if why_not:
        return Action(cards.APPLICATION.event_label(verb), icon=icon, disabled_reason=why_not)
    label = cards.APPLICATION.event_label(verb)
    name = found.account.student.name
    asks = {
        "send_back": Confirm(
            "退回修改", f"{name}的申领退回学校，改正后可以再提交。", "退回", "required", _REASONS
        ),
        "refuse": Confirm(
            "不予受理", f"{name}的申领到此为止，须重新申领。", "不予受理", "required", _REASONS
        ),
        "withdraw": Confirm("撤回", f"撤回{name}的申领。以后可以重新申领。", "撤回"),
        "cancel": Confirm(
            "取消", f"取消{name}的申领；已制成的卡作废。", "取消申领", "required", reason_label="理由"
        ),
    }
    url = reverse("objects:application_act", args=[found.number, verb])
    params = {"next": onward} if onward else {}
    return Action(label, url, "post", icon, tone, confirm=asks.get(verb), params=params, hotkey=key)

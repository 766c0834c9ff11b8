"""Another card for one that is lost, broken or out of date: the school asks from the card's page."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Confirm
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_EXCHANGES = [(code, label) for code, label in cards.REASONS.items() if code not in ("new", "lost")]


def actions(actor: Actor, found: cards.Card) -> list[Action]:
    """补卡 for a lost card, 换卡 for one in use; why not, where something stands against it."""
    if found.state not in cards.LIVE or not actor.may("school:application:submit"):
        return []
    lost = found.state == "lost"
    label = "申请补卡" if lost else "申请换卡"
    why_not = _why_not(actor, found, "lost" if lost else _EXCHANGES[0][0])
    if why_not:
        return [Action(label, icon="refresh", disabled_reason=why_not)]
    words = f"为{found.student.name}申请一张新卡，沿用现有照片。新卡发放前，旧卡先注销。"
    ask = Confirm(label, words, "申请") if lost else Confirm(label, words, "申请", "required", _EXCHANGES)
    url = reverse("objects:card_replace", args=[found.number])
    return [Action(label, url, "post", "refresh", "primary" if lost else "default", confirm=ask)]


@require_POST
@portal_view("school:application:submit")
def replace(request: StaffRequest, number: str) -> HttpResponse:
    """Open the application and hand it in; what stands against handing it in is said, and the draft stays."""
    actor: Actor = request.actor
    found = cards.card(actor.scope, number)
    reason = "lost" if found.state == "lost" else request.POST.get("reason", "")
    opened = cards.create_applications(actor, [found.student_id], found.kind_id, reason)
    for _, code, message in opened.refused:
        raise Refused(code, message)
    [application_id] = opened.done
    handed_in = cards.submit(actor, [application_id])
    application = cards.application(actor.scope, application_id)
    if handed_in.refused:
        why = "；".join(message for _, _, message in handed_in.refused)
        flash(request, f"已建立{cards.REASONS[reason]}的申领，还没有提交：{why}", "wait")
    else:
        flash(request, f"已提交{found.student.name}的{cards.REASONS[reason]}申领。")
    return redirect(shapes.application_url(application.number))


def _why_not(actor: Actor, found: cards.Card, reason: str) -> str:
    refused = cards.preview_create(actor, [found.student_id], found.kind_id, reason).refused
    return refused[0][2] if refused else ""

"""Transfers between districts: the one releases, the other accepts."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_SHOWN = 200


@require_GET
@portal_view("district:transfer:confirm")
def transfers(request: StaffRequest) -> HttpResponse:
    """What waits for either side, oldest first."""
    scope: Scope = request.actor.scope
    found = registry.transfer_rows(scope).filter(state="open").order_by("asked_at", "id")[:_SHOWN]
    shown = {
        "rows": [_row(scope, each) for each in found],
        "empty": Empty("没有待确认的转学", "名册显示学生转到别的区时，会在这里请两区确认。", icon="transfer"),
    }
    return render(request, "district/transfers.html", shown)


@require_POST
@portal_view("district:transfer:confirm")
def act(request: StaffRequest, transfer_id: int, side: str, verb: str) -> HttpResponse:
    if side not in registry.TRANSFER_SIDES or verb not in ("confirm", "reject"):
        raise Http404
    if verb == "reject":
        done = registry.reject_transfer(request.actor, transfer_id, side, request.POST.get("note", ""))
        flash(request, f"{done.student.name}的转学已退回。", "wait")
    else:
        done = registry.confirm_transfer(request.actor, transfer_id, side)
        closed = done.state == "closed"
        flash(request, f"{done.student.name}：{'两区都已确认，已转学' if closed else '已确认，等待另一区'}。")
    return redirect("district:transfers")


def _row(scope: Scope, each: registry.Transfer) -> dict[str, object]:
    student = each.student
    own = {
        "release": each.from_school.district_id == scope.district,
        "accept": each.to_school.district_id == scope.district,
    }
    sides = {"release": each.released_by, "accept": each.accepted_by}
    return {
        "student": Link(student.name, shapes.student_url(student.education_id) if own["release"] else ""),
        "from": f"{each.from_school.district.name} {each.from_school.name}",
        "to": f"{each.to_school.district.name} {each.to_school.name} {shapes.class_of(each.to_class)}",
        "age": formats.age(each.asked_at),
        "sides": [
            Badge(f"{label}{'已确认' if sides[side] else '待确认'}", "ok" if sides[side] else "wait")
            for side, label in registry.TRANSFER_SIDES.items()
        ],
        "actions": [
            action for side in own if own[side] and not sides[side] for action in _actions(each, side)
        ],
    }


def _actions(each: registry.Transfer, side: str) -> list[Action]:
    def url(verb: str) -> str:
        return reverse("district:transfer_act", args=[each.id, side, verb])

    word = {"release": "同意转出", "accept": "同意接收"}[side]
    name = each.student.name
    ask = Confirm(word, f"{name}从{each.from_school.name}转到{each.to_school.name}。两区都确认后生效。", word)
    back = Confirm(
        "退回转学", f"{name}仍在{each.from_school.name}。", "退回", "required", reason_label="理由"
    )
    return [
        Action(word, url("confirm"), "post", "check", "primary", confirm=ask),
        Action("退回", url("reject"), "post", "arrow-back-up", confirm=back),
    ]

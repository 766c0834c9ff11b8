"""Substitutes and hand-overs: for officers themselves and for whoever keeps their accounts."""

from datetime import date

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.officers import api as officers
from xueka.entrypoints.design import formats, nav, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Confirm, Fact, ObjectHead
from xueka.entrypoints.portals.officers.work import open_work
from xueka.kernel.errors import NotFound
from xueka.kernel.text import parse_date
from xueka.platform.identity import accounts
from xueka.platform.identity.models import Grant
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

PERMISSION = "school:officer:substitute"


def _day(request: StaffRequest, name: str) -> date:
    return parse_date(request.POST.get(name, ""))


@require_GET
@portal_view(PERMISSION)
def overview(request: StaffRequest) -> HttpResponse:
    """My own roles with what can be done about them, substitutes at work, hand-overs under way."""
    mine = (
        []
        if request.actor.scope.level == "city"
        else accounts.open_grants(accounts.find(request.actor.username))
    )
    page = {
        "mine": [
            (grant, ROLES[grant.role].label, nav.scope_name(grant.scope))
            for grant in mine
            if grant.level != "city"
        ],
        "substitutes": [
            (grant, ROLES[grant.role].label, nav.scope_name(grant.scope))
            for grant in officers.substitutes(request.actor)[:200]
        ],
        "hand_overs": _rows(request, only="asked"),
    }
    return render(request, "officers/changes.html", page)


@require_http_methods(["GET", "POST"])
@portal_view(PERMISSION)
def stand_in(request: StaffRequest, grant_id: int) -> HttpResponse:
    grant = officers.grant_of(request.actor, grant_id)
    if request.method == "POST":
        who, reason = request.POST.get("username", ""), request.POST.get("reason", "")
        first, last = _day(request, "first"), _day(request, "last")
        made = officers.stand_in(request.actor, grant_id, who, first, last, reason)
        flash(request, f"{made.user.name}代理到 {formats.day(last)}，到期自行结束。")
        return redirect("officers:changes")
    return _form(request, grant, "stand_in")


@require_http_methods(["GET", "POST"])
@portal_view(PERMISSION)
def new_hand_over(request: StaffRequest, grant_id: int) -> HttpResponse:
    grant = officers.grant_of(request.actor, grant_id)
    if request.method == "POST":
        note = request.POST.get("note", "")
        who = request.POST.get("username", "")
        made = officers.ask(request.actor, grant_id, who, _day(request, "day"), note)
        flash(request, "已发起交接，等双方确认。")
        return redirect("officers:hand_over", made.pk)
    return _form(request, grant, "hand_over")


def _form(request: StaffRequest, grant: Grant, kind: str) -> HttpResponse:
    page = {
        "kind": kind,
        "grant": grant,
        "role": ROLES[grant.role].label,
        "place": nav.scope_name(grant.scope),
        "colleagues": officers.colleagues(request.actor, grant),
        "work": open_work(grant.scope),
    }
    return render(request, "officers/change_form.html", page)


@require_POST
@portal_view(PERMISSION)
def end_stand_in(request: StaffRequest, grant_id: int) -> HttpResponse:
    officers.end_stand_in(request.actor, grant_id)
    flash(request, "代理已结束。")
    return redirect("officers:changes")


def _rows(request: StaffRequest, only: str = "") -> list[tuple[object, ...]]:
    found = officers.hand_overs(request.actor).order_by("-id")
    found = found.filter(state=only) if only else found
    return [
        (
            each,
            ROLES[each.role].label,
            nav.scope_name(Scope(each.level, each.district_code, each.school_code)),
            states.badge("hand_over", each.state),
        )
        for each in found[:200]
    ]


@require_GET
@portal_view(PERMISSION)
def hand_overs(request: StaffRequest) -> HttpResponse:
    return render(request, "officers/hand_overs.html", {"rows": _rows(request)})


@require_GET
@portal_view(PERMISSION)
def hand_over(request: StaffRequest, hand_over_id: int) -> HttpResponse:
    found = officers.hand_over(request.actor, hand_over_id)
    scope = Scope(found.level, found.district_code, found.school_code)
    actions: list[Action] = []
    if found.state == "asked":
        sides = {found.from_user_id: found.from_confirmed_at, found.to_user_id: found.to_confirmed_at}
        if request.actor.user_id in sides:
            done = "您已确认，等对方确认" if sides[request.actor.user_id] else ""
            actions.append(
                Action(
                    "确认交接",
                    reverse("officers:hand_over_act", args=[found.pk, "confirm"]),
                    "post",
                    "check",
                    "primary",
                    done,
                    Confirm("确认交接？", "双方都确认后生效。", "确认"),
                )
            )
        actions.append(
            Action(
                "取消",
                reverse("officers:hand_over_act", args=[found.pk, "cancel"]),
                "post",
                confirm=Confirm("取消交接？", "", "取消这份交接", reason="optional"),
            )
        )
    page = {
        "head": ObjectHead(
            f"{found.from_user.name} → {found.to_user.name}",
            "",
            "工作交接",
            states.badge("hand_over", found.state),
            facts=[
                Fact("工作", f"{ROLES[found.role].label}（{nav.scope_name(scope)}）"),
                Fact("交接日", found.day),
                Fact("移交人确认", found.from_confirmed_at or "未确认"),
                Fact("接手人确认", found.to_confirmed_at or "未确认"),
                Fact("说明", found.note or "—"),
            ],
            actions=actions,
        ),
        "work": found.work if found.state == "agreed" else open_work(scope),
        "kept": found.state == "agreed",
    }
    return render(request, "officers/hand_over.html", page)


@require_POST
@portal_view(PERMISSION)
def hand_over_act(request: StaffRequest, hand_over_id: int, verb: str) -> HttpResponse:
    found = officers.hand_over(request.actor, hand_over_id)
    if verb == "confirm":
        work = open_work(Scope(found.level, found.district_code, found.school_code))
        officers.confirm(request.actor, hand_over_id, work)
        flash(request, "已确认。")
    elif verb == "cancel":
        officers.cancel(request.actor, hand_over_id, request.POST.get("note", ""))
        flash(request, "已取消。")
    else:
        raise NotFound("VERB_UNKNOWN", "没有这个操作。")
    return redirect("officers:hand_over", hand_over_id)

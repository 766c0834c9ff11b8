"""The problem queue: what return files left open, who has it, how old it is."""

from collections.abc import Sequence

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.production import api as production
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 200

Row = tuple[str, Link, Link, str, str, str, list[Action]]


@require_GET
@portal_view("city:problem:read")
def listing(request: StaffRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    kind = kind if kind in production.PROBLEM_KINDS else ""
    found = production.problems(request.actor.scope, kind=kind, limit=SHOWN)
    counts = production.problem_counts(request.actor.scope)
    shown = {
        "rows": drawn(request.actor, found),
        "kinds": [
            Link(f"{production.PROBLEM_LABELS[code].split('：')[0]} {counts[code]}", f"?kind={code}")
            for code in production.PROBLEM_KINDS
            if counts.get(code)
        ],
        "kind": production.PROBLEM_LABELS.get(kind, ""),
        "empty": Empty(
            "没有待处理的问题",
            "回盘与批次不一致的地方会出现在这里，每个都有人负责、有时长。",
            icon="circle-check",
        ),
    }
    return render(request, "city/problems.html", shown)


@require_POST
@portal_view("city:problem:resolve")
def act(request: StaffRequest, problem_id: int, verb: str) -> HttpResponse:
    if verb == "take":
        production.take_problem(request.actor, problem_id)
        flash(request, "这个问题由您处理。")
    elif verb in production.RESOLUTION_LABELS:
        production.resolve_problem(request.actor, problem_id, verb, request.POST.get("note", "").strip())
        flash(request, f"已处理：{production.RESOLUTION_LABELS[verb]}。")
    else:
        raise Http404
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    return redirect(back if safe else reverse("city:problems"))


def drawn(actor: Actor, found: Sequence[production.ProblemView]) -> list[Row]:
    """Kind, batch, card, what was read, owner, age, and what this person may do."""
    return [_row(actor, view) for view in found]


def _row(actor: Actor, view: production.ProblemView) -> Row:
    problem = view.problem
    batch = problem.batch.number if problem.batch else ""
    said = problem.detail.get("message", "")
    line = f"第 {problem.line} 行：" if problem.line else ""
    return (
        view.label,
        Link(batch or "未知批次", reverse("city:batch", args=[batch]) if batch else ""),
        Link(view.card_number, reverse("objects:card", args=[view.card_number]) if view.card_number else ""),
        f"{line}{said}",
        shapes.actor_name(problem.owner) if problem.owner else "无人",
        formats.age(problem.opened_at),
        _choices(actor, view) if actor.may("city:problem:resolve") else [],
    )


def _choices(actor: Actor, view: production.ProblemView) -> list[Action]:
    def post(verb: str, label: str, icon: str, confirm: Confirm | None = None) -> Action:
        url = reverse("city:problem_act", args=[view.problem.id, verb])
        return Action(label, url, "post", icon, confirm=confirm)

    mine = [] if view.problem.owner == actor.username else [post("take", "我来处理", "hand-grab")]
    icons = {"write_off": "trash", "noted": "check"}
    return mine + [
        post(
            code,
            label,
            icons.get(code, "check"),
            Confirm(label, view.label, label, "optional", reason_label="说明"),
        )
        for code, label in view.resolutions
    ]

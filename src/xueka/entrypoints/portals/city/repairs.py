"""Putting mistakes right: the detectors' work list, a new repair, its difference, approval and undoing."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.repairs import api as repairs
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import XuekaError
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 200
_MACHINES = {
    "account": cards.ACCOUNT,
    "application": cards.APPLICATION,
    "card": cards.CARD,
    "box": logistics.BOX,
    "delivery": logistics.DELIVERY,
}
_NUMBERS = {"assigned": "已占用", "used": "已用", "spoiled": "报废", "returned": "退回"}


@require_GET
@portal_view("city:repair:propose")
def page(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    new = Action("新建修复", reverse("city:repair_new"), icon="plus", tone="primary")
    look = Action("现在巡查", reverse("city:repairs_detect"), "post", "radar-2")
    names = shapes.Names()
    shown = {
        "actions": [new, look],
        "findings": [_finding(request, each) for each in repairs.findings(scope)[:SHOWN]],
        "more": max(0, repairs.findings(scope).count() - SHOWN),
        "empty": Empty(
            "没有待查事项",
            "系统每夜巡查一次：滞留、孤立、重复、时间倒流和不成立的核对项。",
            icon="circle-check",
        ),
        "repairs": [
            (
                Link(each.number, reverse("city:repair", args=[each.number])),
                repairs.KINDS[each.kind].label,
                each.reason,
                states.badge("repair", each.state),
                names[each.proposed_by],
                names[each.approved_by] or "—",
                each.proposed_at,
            )
            for each in repairs.repairs(scope)[:50]
        ],
    }
    return render(request, "city/repairs.html", shown)


@require_POST
@portal_view("city:repair:propose")
def detect(request: StaffRequest) -> HttpResponse:
    counts = repairs.detect(request.actor)
    flash(request, f"巡查完成：待查 {sum(counts.values())} 项。", "wait" if counts else "ok")
    return redirect("city:repairs")


@require_POST
@portal_view("city:repair:propose")
def take(request: StaffRequest, finding_id: int) -> HttpResponse:
    repairs.take(request.actor, finding_id)
    flash(request, "这一项由您处理。")
    return redirect("city:repairs")


@require_http_methods(["GET", "POST"])
@portal_view("city:repair:propose")
def new(request: StaffRequest) -> HttpResponse:
    """Choose a repair, fill in what it needs; it is rehearsed, and refused where it would break something."""
    kind = repairs.KINDS.get(request.GET.get("kind", ""))
    if kind is None:
        links = [
            Link(each.label, f"{reverse('city:repair_new')}?kind={each.code}", note=each.words)
            for each in repairs.KINDS.values()
        ]
        return render(request, "city/repair_kinds.html", {"kinds": links})
    form = _form(kind, request)
    problem = None
    if request.method == "POST" and form.is_valid():
        given = dict(form.cleaned_data)
        reason = given.pop("why")
        try:
            found = repairs.propose(request.actor, kind.code, given, reason)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, "预演通过，没有改动数据。请另一位运营核对后批准。")
            return redirect("city:repair", found.number)
    shown = {"kind": kind, "form": form, "problem": problem, "fields": [form[name] for name in form.fields]}
    return render(request, "city/repair_new.html", shown, status=400 if problem or form.errors else 200)


@require_GET
@portal_view("city:repair:propose")
def one(request: StaffRequest, number: str) -> HttpResponse:
    """The difference: what stands where, what it becomes, which invariants are asked."""
    found = repairs.repair(request.actor.scope, number)
    labels = {code: repairs.REPAIR.event_label(code) for code in repairs.REPAIR.event_codes}
    shown = {
        "head": ObjectHead(
            repairs.KINDS[found.kind].label,
            found.number,
            "差错修复",
            states.badge("repair", found.state),
            facts=[
                Fact("理由", found.reason),
                Fact("提出", shapes.actor_name(found.proposed_by)),
                Fact("批准", shapes.actor_name(found.approved_by) or "—"),
            ],
            actions=_actions(request, found),
        ),
        "steps": [_step(each) for each in found.steps],
        "invariants": [each["title"] for each in found.invariants],
        "done": found.state in {"applied", "undo_asked"},
        "events": shapes.steps(history.timeline({"repair": [found.id]}), labels | {"create": "提出并预演"}),
    }
    return render(request, "city/repair.html", shown)


@require_POST
@portal_view("city:repair:propose")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    actor, note = request.actor, request.POST.get("note", "")
    found = repairs.repair(actor.scope, number)
    if verb == "approve":
        repairs.approve(actor, found.id)
        said = "已修复；修复后没有再变动的可以还原。"
    elif verb == "refuse":
        repairs.refuse(actor, found.id, note)
        said = "不予批准，没有改动数据。"
    elif verb == "withdraw":
        repairs.withdraw(actor, found.id)
        said = "已撤回，没有改动数据。"
    elif verb == "ask_undo":
        repairs.ask_undo(actor, found.id, note)
        said = "已申请还原，请另一位运营批准。"
    elif verb == "undo":
        repairs.undo(actor, found.id)
        said = "已还原到修复之前。"
    elif verb == "keep":
        repairs.keep(actor, found.id)
        said = "不还原，修复保留。"
    else:
        raise Http404
    flash(request, said)
    return redirect("city:repair", found.number)


def _form(kind: Any, request: StaffRequest) -> forms.Form:
    fields: dict[str, forms.Field] = {}
    for name, label in kind.params:
        choices: list[tuple[str, str]] = []
        if name == "what":
            choices = [(code, repairs.LABELS[code]) for code in repairs.FREE]
        elif name == "field":
            names = dict.fromkeys(each for listed in repairs.FREE.values() for each in listed)
            choices = [(each, repairs.FIELDS[each]) for each in names]
        needed = name not in {"old", "new"}
        fields[name] = (
            forms.ChoiceField(label=label, choices=choices)
            if choices
            else forms.CharField(label=label, required=needed, max_length=4000)
        )
    fields["why"] = forms.CharField(
        label="为什么要修复", max_length=200, help_text="例如：老师把两个孩子的卡发反了。"
    )
    made = type("RepairForm", (WordedForm,), fields)
    given = {name: request.GET.get(name, "") for name in fields}
    form: forms.Form = made(request.POST if request.method == "POST" else None, initial=given)
    return form


def _finding(
    request: StaffRequest, found: repairs.Finding
) -> tuple[str, str, str, str, str, str, list[Action]]:
    detector = repairs.DETECTORS[found.detector]
    actions = []
    if found.owner != request.actor.username:
        take_it = reverse("city:repair_take", args=[found.id])
        actions.append(Action("我来处理", take_it, "post", "hand-grab"))
    if found.suggests:
        query = urlencode({"kind": found.suggests, **found.params})
        actions.append(Action("去修复", f"{reverse('city:repair_new')}?{query}", icon="tool"))
    return (
        detector.label,
        found.key,
        found.detail,
        detector.advice,
        shapes.actor_name(found.owner) if found.owner else "无人",
        formats.age(found.since),
        actions,
    )


def _step(step: dict[str, Any]) -> tuple[str, str, str, str, str]:
    what, field = step["what"], step["field"]
    return (
        repairs.LABELS[what],
        step["name"],
        repairs.FIELDS.get(field, field),
        _word(what, field, step["old"]),
        _word(what, field, step["new"]),
    )


def _word(what: str, field: str, value: Any) -> str:
    if value is None or value == "":
        return "空"
    if field == "state" and what in _MACHINES:
        return _MACHINES[what].state(value).label
    if what == "numbers":
        return _NUMBERS.get(value, value)
    if isinstance(value, bool):
        return "是" if value else "否"
    return (
        {"given": "同意", "withdrawn": "撤回同意"}.get(value, str(value)) if what == "consent" else str(value)
    )


def _actions(request: StaffRequest, found: repairs.Repair) -> list[Action]:
    def post(verb: str, label: str, icon: str, tone: str = "default", **more: Any) -> Action:
        return Action(
            label, reverse("city:repair_act", args=[found.number, verb]), "post", icon, tone, **more
        )

    me = request.actor.username
    reason = Confirm("写明理由", found.number, "提交", "required", reason_label="理由")
    if found.state == "proposed":
        why = "请由提出人以外的运营批准。" if found.proposed_by == me else ""
        sure = Confirm("批准修复", f"将改动 {len(found.steps)} 处。", "批准修复")
        other = (
            post("withdraw", "撤回", "x")
            if found.proposed_by == me
            else post("refuse", "不予批准", "x", confirm=reason)
        )
        return [post("approve", "批准修复", "checks", "primary", disabled_reason=why, confirm=sure), other]
    if found.state == "applied":
        return [post("ask_undo", "申请还原", "arrow-back-up", confirm=reason)]
    if found.state == "undo_asked":
        why = "请由申请人以外的运营批准。" if found.undo_asked_by == me else ""
        sure = Confirm("批准还原", found.undo_reason, "批准还原")
        return [
            post("undo", "批准还原", "arrow-back-up", "primary", disabled_reason=why, confirm=sure),
            post("keep", "不还原", "x"),
        ]
    return []

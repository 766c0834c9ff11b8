"""Changes that two people make: the list, one of them, and the second person's answer."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design import formats, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.custodian.nav import READ
from xueka.entrypoints.portals.objects import shapes
from xueka.platform.history import queries as history
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_STATES = [(state.code, state.label) for state in keys.KEY_CHANGE.states]


@require_GET
@portal_view(READ)
def change_list(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        keys.changes(request.actor.scope),
        name="key_changes",
        columns=[
            Column("编号", "number", kind="code"),
            Column("变更", lambda row: keys.CHANGE_KINDS[row.kind].label),
            Column("密钥", "label", kind="code"),
            Column("状态", lambda row: states.badge("key_change", row.state)),
            Column("申请", lambda row: shapes.actor_name(row.asked_by), minor=True),
            Column("确认", lambda row: shapes.actor_name(row.decided_by) or "—", minor=True),
            Column("时间", "asked_at", kind="number"),
        ],
        sorts={"id": ("id",)},
        default_sort="-id",
        filters=[
            Filter("state", "状态", lambda rows, code: rows.filter(state=code), _STATES, kind="tabs"),
            Filter("q", "密钥", lambda rows, text: rows.filter(label__startswith=text), kind="search"),
        ],
        url=lambda row: reverse("custodian:change", args=[row.number]),
        label=lambda row: row.number,
        unit="项",
        empty=Empty("没有变更", "轮换、启用、停用、销毁都先由一人申请，再由另一人确认。", icon="user-check"),
    )
    shown = {"title": "密钥变更", "sub": "一人申请，另一人确认后才执行。", "list": listing}
    return render(request, "custodian/list.html", shown)


@require_GET
@portal_view(READ)
def one(request: StaffRequest, number: str) -> HttpResponse:
    found = keys.change(request.actor.scope, number)
    kind = keys.CHANGE_KINDS[found.kind]
    labels = {code: keys.KEY_CHANGE.event_label(code) for code in keys.KEY_CHANGE.event_codes}
    shown = {
        "head": ObjectHead(
            f"{kind.label} {found.label}",
            found.number,
            "密钥变更",
            states.badge("key_change", found.state),
            facts=[
                Fact("密钥", Link(found.label, key_url(found))),
                Fact("原因", found.reason),
                Fact("申请", shapes.actor_name(found.asked_by)),
                Fact("确认", shapes.actor_name(found.decided_by) or "—"),
            ],
            actions=_actions(request, found),
        ),
        "warns": kind.warns,
        **_parts(request, found),
        "params": _params(found),
        "result": _result(request.actor.scope, found) if found.state == "done" else [],
        "events": shapes.steps(history.timeline({"key_change": [found.pk]}), labels | {"create": "申请"}),
    }
    return render(request, "custodian/change.html", shown)


@require_POST
@portal_view("city:key:ask", "city:key:confirm")
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    actor, note = request.actor, request.POST.get("note", "")
    if verb == "confirm":
        done = keys.confirm(actor, number)
        flash(request, f"{keys.CHANGE_KINDS[done.kind].label}已执行。")
    elif verb == "refuse":
        keys.refuse(actor, number, note)
        flash(request, "已退回，没有改动密钥。")
    elif verb == "withdraw":
        keys.withdraw(actor, number)
        flash(request, "已撤回，没有改动密钥。")
    else:
        raise Http404
    return redirect("custodian:change", number)


def _parts(request: StaffRequest, found: keys.KeyChange) -> dict[str, Any]:
    """Who brings a component, with its check value; and the check value of the whole when all are there."""
    told = keys.parts(request.actor.scope, found)
    open_, whole = found.state == "asked", keys.parts_kcv(found) if told else ""
    right = whole == found.params.get("kcv")
    words = f"{whole}，与申请的一致" if right else f"{whole}，与申请的 {found.params.get('kcv')} 不符"
    rows = [
        (shapes.actor_name(part.person), _standing(part, there, open_), part.kcv or "—", part.entered_at)
        for part, there in told
    ]
    return {"parts": rows, "whole": Badge(words, "ok" if right else "bad") if whole else None}


def _standing(part: keys.KeyPart, there: bool, open_: bool) -> Badge:
    if there or (part.kcv and not open_):
        return Badge("已录入", "ok")
    if not open_:
        return Badge("没有录入", "ended")
    return Badge("须重新录入" if part.kcv else "等录入", "wait")


def row_of(found: keys.KeyChange, me: str) -> tuple[Link, str, str, str, str, str]:
    """One line of what waits: number, what, key, why, who asked, since when."""
    return (
        Link(found.number, reverse("custodian:change", args=[found.number])),
        keys.CHANGE_KINDS[found.kind].label,
        found.label,
        found.reason,
        "您" if found.asked_by == me else shapes.actor_name(found.asked_by),
        formats.age(found.asked_at),
    )


def key_url(found: keys.KeyChange) -> str:
    """A key that is only to be registered has no page yet."""
    registering = found.kind in ("register", "foreign") and found.state != "done"
    return "" if registering else reverse("custodian:key", args=[found.label])


def _params(found: keys.KeyChange) -> list[Fact]:
    named = keys.CHANGE_KINDS[found.kind].params
    words: dict[str, Callable[[Any], str]] = {
        "kind": lambda code: keys.TYPES[code].label,
        "algorithm": lambda code: keys.ALGORITHMS[code],
        "people": lambda people: "、".join(map(shapes.actor_name, people)),
        "receivers": "、".join,
        "receiver_kind": lambda code: keys.RECEIVERS[code],
        "way": lambda code: keys.WAYS[code],
        "level": lambda code: keys.LEVELS[code],
    }
    facts = []
    for name, value in found.params.items():
        if name == "usages":
            shown: Any = "、".join(keys.USAGES[each] for each in value)
        elif name == "block":
            shown = f"{len(value)} 个字符"
        else:
            shown = words[name](value) if name in words else value
        if shown:
            facts.append(Fact(named[name], shown))
    return facts


def _result(scope: Scope, found: keys.KeyChange) -> list[Fact]:
    named = {
        "version": "版本",
        "kcv": "校验值",
        "before": "原版本",
        "rewrap": "要重新加密",
        "under": "传输密钥",
        "deliveries": "排入交付计划",
    }
    there = set(keys.key(scope, found.label).versions.values_list("number", flat=True))
    told = [] if found.result.get("version") else [Fact("密钥", Link(found.label, key_url(found)))]
    for name, value in found.result.items():
        if name in ("version", "before") and value in there:  # a new field key is made by the sweep
            url = reverse("custodian:version", args=[found.label, value])
            told.append(Fact(named[name], Link(f"第 {value} 版", url)))
        elif name in named and value:
            told.append(Fact(named[name], value))
    if found.kind == "deliver":
        told.append(Fact("交付计划", Link("看全部", reverse("custodian:deliveries"))))
    return told


def _actions(request: StaffRequest, found: keys.KeyChange) -> list[Action]:
    def post(verb: str, label: str, icon: str, tone: str = "default", **more: Any) -> Action:
        url = reverse("custodian:change_act", args=[found.number, verb])
        return Action(label, url, "post", icon, tone, **more)

    if found.state == "done" and found.kind == "export" and request.actor.may("city:key:ask"):
        url = reverse("custodian:block", args=[found.number])
        return [Action("下载密钥块", url, "post", "download", "primary")]
    if found.state != "asked":
        return []
    mine = _my_part(request, found)
    if found.asked_by == request.actor.username:
        why = "请由申请人以外的密钥保管人确认。"
        return [
            *mine,
            post("confirm", "确认执行", "checks", "primary", disabled_reason=why),
            post("withdraw", "撤回", "x"),
        ]
    if not request.actor.may("city:key:confirm"):
        return []
    kind = keys.CHANGE_KINDS[found.kind]
    sure = Confirm(f"{kind.label} {found.label}", kind.warns or "确认后立即执行。", "确认执行")
    reason = Confirm("写明理由", found.number, "退回", "required", reason_label="理由")
    gone = [each for each, there in keys.parts(request.actor.scope, found) if not there]
    early = f"还有 {len(gone)} 位保管人没有录入分量。" if gone else ""
    return [
        *mine,
        post("confirm", "确认执行", "checks", "primary", confirm=sure, disabled_reason=early),
        post("refuse", "退回", "x", confirm=reason),
    ]


def _my_part(request: StaffRequest, found: keys.KeyChange) -> list[Action]:
    """What the person at the screen may do with her own component."""
    told = keys.parts(request.actor.scope, found)
    mine = [there for part, there in told if part.person == request.actor.username]
    if not mine:
        return []
    url = reverse("custodian:part", args=[found.number])
    if not mine[0]:
        return [Action("录入我的分量", url, icon="puzzle", tone="primary")]
    back = reverse("custodian:part_back", args=[found.number])
    return [
        Action("重新录入分量", url, icon="puzzle"),
        Action("收回分量", back, "post", "arrow-back-up"),
    ]

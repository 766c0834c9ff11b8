"""What the daily comparison of both sides found, as a work list."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.interop import api as interop
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Rows, Selection, narrow
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Fact, Link, ObjectHead, Preview, Wont
from xueka.entrypoints.portals.city.interfaces import words
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput
from xueka.platform.exchange.counterparts import codes
from xueka.platform.history import queries as history
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE = 5_000
_VERBS = {
    "send": ("补发", "把本方现在的记录发给对方；下一次核对看是否一致。"),
    "take": ("采纳对方", "本方的记录改成对方的样子；下一次核对看是否一致。"),
    "leave": ("不处理", "登记理由，差异留着，不再算作待办。"),
    "assign": ("由我负责", "记到您的名下。"),
}
_CANNOT = {"send": "本方没有可以告知对方的", "take": "这类记录以本方为准，不能采纳对方"}
_ICONS = {"send": "repeat", "take": "arrow-back-up", "leave": "x", "assign": "user-check"}


@require_GET
@portal_view(words.READ)
def listing(request: StaffRequest) -> HttpResponse:
    may = request.actor.may(words.MANAGE)
    names = shapes.Names()
    called = _called()
    rows = DataList(
        request,
        _rows(request),
        name="differences",
        caption="核对差异",
        columns=[
            Column("记录", "key", kind="code"),
            Column("对接方", lambda row: called.get(row.counterpart, row.counterpart)),
            Column("数据", lambda row: interop.DATASET_NAMES[row.dataset], minor=True),
            Column("差异", lambda row: interop.KINDS[row.kind]),
            Column("状态", lambda row: states.badge("disagreement", row.state)),
            Column("发现", "found_at", sort="found", kind="number"),
            Column("看到", lambda row: f"{row.times} 次", kind="number", minor=True),
            Column("负责人", lambda row: names[row.owner] if row.owner else "—", minor=True),
        ],
        sorts={"found": ("found_at", "id")},
        filters=_filters(),
        bulk=[
            Bulk(label, reverse("city:interface_differences_act", args=[verb]), _ICONS[verb])
            for verb, (label, _) in _VERBS.items()
        ]
        if may
        else [],
        url=lambda row: reverse("city:interface_difference", args=[row.id]),
        label=lambda row: row.key,
        unit="项",
        empty=Empty("没有差异", "每天与对接方两边核对一次，不一致的记录出现在这里。", icon="circle-check"),
    )
    shown = {
        "title": "核对差异",
        "sub": "本方和对方不一致的记录，先发现的在前；在途的消息不算。",
        "list": rows,
        "back": Link("接口总览", reverse("city:interfaces")),
    }
    return render(request, "objects/list.html", shown)


@require_GET
@portal_view(words.READ)
def one(request: StaffRequest, difference_id: int) -> HttpResponse:
    found, ours, theirs = interop.difference(request.actor, difference_id)
    labels = {code: interop.DIFFERENCE.event_label(code) for code in interop.DIFFERENCE.event_codes}
    actions = []
    if request.actor.may(words.MANAGE):
        actions = [
            Action(
                label,
                reverse("city:interface_differences_act", args=[verb]),
                "post",
                _ICONS[verb],
                params={"keys": [found.id]},
            )
            for verb, (label, _) in _VERBS.items()
            if verb == "assign"
            or (
                found.state == "open"
                and (verb != "take" or interop.may_take(found.dataset))
                and (verb != "send" or interop.may_send(found.dataset))
            )
        ]
    asking = words.ask(
        request,
        found.counterpart,
        ("difference", str(found.id)),
        f"{found.key} 两边不一致",
        f"{interop.DATASET_NAMES[found.dataset]} {found.key}：{interop.KINDS[found.kind]}。",
    )
    shown = {
        "head": ObjectHead(
            found.key,
            kind="核对差异",
            state=states.badge("disagreement", found.state),
            facts=[
                Fact(
                    "对接方",
                    Link(
                        words.name_of(found.counterpart), reverse("city:interface", args=[found.counterpart])
                    ),
                ),
                Fact("数据", interop.DATASET_NAMES[found.dataset]),
                Fact("差异", interop.KINDS[found.kind]),
                Fact("发现", found.found_at),
                Fact("最近看到", found.seen_at, f"共 {found.times} 次"),
                Fact("负责人", shapes.actor_name(found.owner) if found.owner else "—"),
            ],
            actions=[*actions, *asking],
        ),
        "sides": _sides(found.dataset, ours, theirs),
        "links": _links(found),
        "events": shapes.steps(
            history.timeline({"disagreement": [found.id]}), labels | {"create": "核对发现"}
        ),
        "back": Link("核对差异", reverse("city:interface_differences")),
    }
    return render(request, "city/interfaces/difference.html", shown)


def _sides(dataset: str, ours: str, theirs: str) -> list[tuple[str, str, str, bool]]:
    """What each side holds, field by field, and whether they differ; another shape stands whole."""
    names = interop.DATASET_FIELDS[dataset]
    pair = [side.split("|") if side else [""] * len(names) for side in (ours, theirs)]
    if any(len(side) != len(names) for side in pair):
        names, pair = ("记录",), [[ours], [theirs]]
    here, there = pair
    return [
        (name, a if ours else "没有这条记录", b if theirs else "没有这条记录", a != b)
        for name, a, b in zip(names, here, there, strict=True)
    ]


def _links(found: interop.Difference) -> list[Link]:
    card, _, further = found.key.partition("/")
    if found.counterpart != interop.STUDENT_REGISTRY:
        return [Link(card, f"{reverse('city:trace')}?q={card}", "这张卡的消息", "route")]
    student = (
        [Link(further, shapes.student_url(further), "学生", "user")] if found.kind != "missing_here" else []
    )
    return [*student, Link("获取与核对", reverse("city:imports"), "学籍导入", "file-import")]


@require_POST
@portal_view(words.MANAGE)
def act(request: StaffRequest, verb: str) -> HttpResponse:
    """Preview: which of them can be done so, and which cannot."""
    if verb not in _VERBS:
        raise Http404
    rows = list(_chosen(request, Selection.of(request)))
    label, body = _VERBS[verb]
    ended = [each for each in rows if each.state != "open" and verb != "assign"]
    over = {each.id for each in ended}
    ids = [each.id for each in rows if each.id not in over]
    if verb == "send":
        sendable = interop.sendable([each for each in rows if each.id not in over])
        ids = [each for each in ids if each in sendable]
    elif verb == "take":
        ids = [each.id for each in rows if each.id not in over and interop.may_take(each.dataset)]
    done = {*ids, *over}
    absent = [each for each in rows if each.id not in done]
    reason = "required" if verb == "leave" else "none"
    doing = Action(
        f"{label} {len(ids):,} 项",
        reverse("city:interface_differences_do", args=[verb]),
        "post",
        _ICONS[verb],
        "primary",
        disabled_reason="" if ids else "所选的一项也不能这样办。",
        confirm=Confirm(label, body, label, reason, reason_label="为什么不处理")
        if verb != "assign"
        else None,
        params={"keys": ids},
    )
    wont = [
        Wont(said, len(each), [Link(row.key) for row in each[:5]])
        for said, each in (("已经办过，等下一次核对", ended), (_CANNOT.get(verb, ""), absent))
        if each
    ]
    shown = Preview(label, len(ids), body, doing, reverse("city:interface_differences"), wont=wont, unit="项")
    return render(request, "city/preview.html", {"preview": shown})


@require_POST
@portal_view(words.MANAGE)
def do(request: StaffRequest, verb: str) -> HttpResponse:
    ids = [int(each) for each in request.POST.getlist("keys") if each.isdecimal()]
    if not ids:
        raise BadInput("SELECTION_EMPTY", "没有选中任何一项。", action="请返回列表，勾选后再办理。")
    actor = request.actor
    if verb == "send":
        count = interop.send_again(actor, ids)
    elif verb == "take":
        count = interop.take_theirs(actor, ids)
    elif verb == "leave":
        count = interop.leave(actor, ids, request.POST.get("note", ""))
    elif verb == "assign":
        count = interop.assign(actor, ids, actor.username)
    else:
        raise Http404
    flash(request, f"{_VERBS[verb][0]}：{count:,} 项。")
    return (
        redirect("city:interface_difference", ids[0])
        if len(ids) == 1
        else redirect("city:interface_differences")
    )


def _rows(request: StaffRequest) -> QuerySet[interop.Difference]:
    return interop.differences(request.actor, states=interop.DIFFERENCE.state_codes).order_by()


def _chosen(request: StaffRequest, selection: Selection) -> list[Any]:
    rows = _rows(request)
    if selection.everything:
        rows = narrow(rows, _filters(), selection.filters)
    else:
        rows = rows.filter(id__in=[int(key) for key in selection.keys if key.isdecimal()])
    found = list(rows.order_by("id")[: AT_ONCE + 1])
    if not found:
        raise BadInput("SELECTION_EMPTY", "没有选中任何一项。", action="请返回列表，勾选后再办理。")
    if len(found) > AT_ONCE:
        raise BadInput("SELECTION_TOO_LARGE", f"一次最多办 {AT_ONCE:,} 项。", action="请先筛选，分几次办理。")
    return found


def _of_number(rows: Rows, text: str) -> Rows:
    """A key is a card's number, alone or with a slash and what the card has; or a school's and hers."""
    number = text.strip()
    return rows.filter(Q(key=number) | Q(key__startswith=f"{number}/") | Q(key__endswith=f"/{number}"))


def _called() -> dict[str, str]:
    known = [*codes(), *([interop.STUDENT_REGISTRY] if registry.has_registry() else [])]
    return {code: words.name_of(code) for code in known}


def _filters() -> list[Filter]:
    return [
        Filter(
            "state",
            "状态",
            lambda rows, code: rows.filter(state=code),
            list(interop.DIFFERENCE.choices),
            kind="tabs",
        ),
        Filter(
            "of",
            "对接方",
            lambda rows, code: rows.filter(counterpart=code),
            list(_called().items()),
        ),
        Filter("kind", "差异", lambda rows, code: rows.filter(kind=code), list(interop.KINDS.items())),
        Filter("q", "号码", _of_number, kind="search", placeholder="卡号、学校标识码、教育ID"),
    ]

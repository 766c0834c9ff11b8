"""The messages of a counterpart: lists, one of them, the trace of a card, replay of what was sent."""

import json
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.interop import api as interop
from xueka.contexts.operations import api as operations
from xueka.contexts.transit import api as transit
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.city.interfaces import words
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.exchange import codes, replaying
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange.models import DEAD, DELIVERED, INCOMING, OUTGOING, Outgoing
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view(words.READ)
def sent(request: StaffRequest, code: str) -> HttpResponse:
    name = words.name_of(code)
    may = request.actor.may(words.MANAGE)
    rows = DataList(
        request,
        exchange.outgoing(code),
        name="exchange-out",
        caption="发出的消息",
        columns=_columns("out"),
        sorts={"id": ("id",)},
        default_sort=_order(request),
        filters=filters(request.actor, "out"),
        bulk=[Bulk("补发", reverse("city:interface_replay", args=[code]), "repeat", "primary")]
        if may
        else [],
        url=lambda row: reverse("city:interface_message", args=["out", row.id]),
        label=lambda row: row.message_id,
        empty=Empty("还没有发出消息", "卡的状态变化之后，消息按卡的顺序发出。", icon="send"),
    )
    return _list(request, name, code, "发出的消息", rows)


@require_GET
@portal_view(words.READ)
def received(request: StaffRequest, code: str) -> HttpResponse:
    name = words.name_of(code)
    rows = DataList(
        request,
        exchange.incoming(code),
        name="exchange-in",
        caption="收到的消息",
        columns=_columns("in"),
        sorts={"id": ("id",)},
        default_sort=_order(request),
        filters=filters(request.actor, "in"),
        bulk=[Bulk("再处理", reverse("city:interface_retry", args=[code]), "repeat", "primary")]
        if request.actor.may(words.MANAGE)
        else [],
        url=lambda row: reverse("city:interface_message", args=["in", row.id]),
        label=lambda row: row.message_id,
        empty=Empty("还没有收到消息", "对方发来、验过签名的消息出现在这里。", icon="inbox"),
    )
    return _list(request, name, code, "收到的消息", rows)


@require_GET
@portal_view(words.READ)
def message(request: StaffRequest, way: str, message_id: int) -> HttpResponse:
    found = exchange.found(way, message_id)
    code = found.stream.counterpart
    back = "city:interface_messages" if way == "out" else "city:interface_received"
    shown = {
        "head": ObjectHead(
            words.kind_of_message(found.kind),
            found.message_id,
            f"{words.WAYS[way]}的消息",
            words.message_state(way, found.state),
            facts=[
                Fact("对接方", Link(words.last_name_of(code), reverse("city:interface", args=[code]))),
                Fact("种类", found.kind),
                Fact(
                    "对象", Link(words.key(found.stream.key), f"{reverse('city:trace')}?q={found.stream.key}")
                ),
                Fact("第几条", found.seq),
                Fact("发生", found.occurred_at),
                Fact("建立" if way == "out" else "收到", words.begun(found)),
                Fact("结束", found.ended_at),
                Fact("试过", f"{found.tries} 次"),
            ],
            actions=_actions(request, way, found),
        ),
        "why": words.why(found.code, found.problem),
        "held": exchange.held_back(found) if isinstance(found, Outgoing) else 0,
        "content": _content(found),
        "attempts": [
            (each.at, each.status or "—", words.why(each.code, each.said) or "已收下", each.ms)
            for each in (found.attempts.order_by("-id")[:100] if isinstance(found, Outgoing) else [])
        ],
        "way": way,
        "back": Link(f"{words.WAYS[way]}的消息", reverse(back, args=[code])),
    }
    return render(request, "city/interfaces/message.html", shown)


@require_POST
@portal_view(words.MANAGE)
def act(request: StaffRequest, way: str, message_id: int, verb: str) -> HttpResponse:
    """What a person decides about a dead letter."""
    note = request.POST.get("note", "")
    if (way, verb) == ("out", "give-up"):
        replaying.give_up(request.actor, message_id, note)
        flash(request, "已放弃这一条，后面的继续发送。", "wait")
    elif (way, verb) == ("in", "retry"):
        replaying.retry_incoming(request.actor, message_id, note)
        flash(request, "已排入再次处理。")
    elif (way, verb) == ("in", "pass"):
        replaying.pass_incoming(request.actor, message_id, note)
        flash(request, "已略过这一条，后面的继续处理。", "wait")
    else:
        raise Http404
    return redirect("city:interface_message", way, message_id)


@require_GET
@portal_view(words.READ)
def trace(request: StaffRequest) -> HttpResponse:
    """Every message of a card with every counterpart and what went beside, in order."""
    asked = request.GET.get("q", "").strip()
    keys = interop.keys_meant(request.actor, asked)
    traced = operations.trace(request.actor, keys)
    shown = {
        "asked": asked,
        "traces": [
            (
                words.key(key),
                _object(key),
                [_line(each) for each in traced.lines if each.key == key],
            )
            for key in keys
        ],
        "most": operations.MOST if traced.cut else 0,
        "empty": Empty(
            f"没有“{asked[:40]}”的卡、学生或消息" if asked else "输入卡的任一号码、教育ID或消息编号",
            "卡号、一卡通号、北京通号、芯片号、学生的教育ID和消息编号都可以；姓名请在卡的列表里查。"
            if asked
            else "一张卡与外面的全部往来：各对接方的消息，它的快递、短信和改过学生的名册，按先后排列。",
            icon="route",
        ),
        "back": Link("接口总览", reverse("city:interfaces")),
    }
    return render(request, "city/interfaces/trace.html", shown)


def _line(each: operations.Step | operations.Beside) -> tuple[Any, ...]:
    """A row of the trace, whichever way it went."""
    way = ("→" if each.direction == "out" else "←", words.WAYS[each.direction])
    if isinstance(each, operations.Beside):
        what = Link(each.what)
        if each.number:
            page = "city:parcel" if each.way == operations.COURIER else "city:import_run"
            what = Link(each.what, reverse(page, args=[each.number]))
        return (each.at, *way, Link(each.who), what, "—", Badge(each.state), each.said, [])
    return (
        each.at,
        *way,
        Link(words.last_name_of(each.counterpart), reverse("city:interface", args=[each.counterpart])),
        Link(
            words.kind_of_message(each.kind),
            reverse("city:interface_message", args=[each.direction, each.id]),
        ),
        each.seq,
        words.message_state(each.direction, each.state),
        words.why(each.code, each.problem),
        [_tried(at, status, words.why(code, said)) for at, status, code, said in each.tries],
    )


def _actions(request: StaffRequest, way: str, found: Any) -> list[Action]:
    def to(verb: str) -> str:
        return reverse("city:interface_message_act", args=[way, found.id, verb])

    def sure(label: str, body: str) -> Confirm:
        return Confirm(label, body, label, "required", reason_label="为什么")

    asking = words.ask(
        request,
        found.stream.counterpart,
        ("message", f"{way}:{found.id}"),
        f"{words.key(found.stream.key)} 的消息{words.message_state(way, found.state).text}",
        f"消息 {found.message_id}（{words.kind_of_message(found.kind)}，{words.key(found.stream.key)} "
        f"第 {found.seq} 条）"
        f"{words.why(found.code, found.problem)}",
    )
    shown: list[Action] = []
    if request.actor.may(words.MANAGE):
        code = found.stream.counterpart
        if way == "out" and found.state in (DELIVERED, DEAD):
            tone = "primary" if found.state == DEAD else "default"
            again = reverse("city:interface_replay", args=[code])
            shown.append(Action("补发", again, "post", "repeat", tone, params={"keys": [found.id]}))
        if (way, found.state) == ("out", DEAD):
            body = "对方会被告知这个序号跳过，后面的消息继续发送。"
            shown.append(Action("放弃", to("give-up"), "post", "x", "danger", confirm=sure("放弃", body)))
        if (way, found.state) == ("in", DEAD):
            body = "按收到时的样子再处理一次。"
            shown += [
                Action("再处理", to("retry"), "post", "repeat", "primary", confirm=sure("再处理", body)),
                Action(
                    "略过", to("pass"), "post", "x", "danger", confirm=sure("略过", "后面的消息继续处理。")
                ),
            ]
    return [*shown, *(asking if found.state == DEAD else [])]


def _content(found: Any) -> str:
    try:
        content = exchange.content(found)
    except (XuekaError, ValueError):
        return codes.words(codes.UNREADABLE)
    if content is None:
        return "作废的序号，没有内容。" if getattr(found, "is_void", False) else "内容已过保存期。"
    return json.dumps(content, ensure_ascii=False, indent=2)


def _order(request: StaffRequest) -> str:
    """What came last is above; of what has stopped the oldest, which holds back the others."""
    return "id" if request.GET.get("state") == DEAD else "-id"


def _tried(at: datetime, status: int, said: str) -> str:
    return f"{clock.local(at):%m-%d %H:%M:%S} {status or '—'} {said or '已收下'}"


def _object(key: str) -> Link:
    kind, _, name = key.partition(":")
    page = {"card": "objects:card", "student": "objects:student"}.get(kind)
    if kind == transit.HOT_LIST:
        paper = transit.paper_rows(EVERYWHERE).filter(kind=kind, number=name).first()
        return Link(name, reverse("city:transit_paper", args=[paper.pk])) if paper else Link(key)
    return Link(name, reverse(page, args=[name])) if page else Link(key)


def _list(request: StaffRequest, name: str, code: str, title: str, rows: DataList) -> HttpResponse:
    shown = {
        "title": f"{name}：{title}",
        "sub": "内容在单条消息里，个人信息已遮盖。",
        "list": rows,
        "back": Link(name, reverse("city:interface", args=[code])),
    }
    return render(request, "objects/list.html", shown)


def _columns(way: str) -> list[Column]:
    begun = "created_at" if way == "out" else "received_at"
    return [
        Column("消息", "message_id", kind="code"),
        Column("对象", lambda row: words.key(row.stream.key), kind="code"),
        Column("种类", lambda row: words.kind_of_message(row.kind), minor=True),
        Column("第几条", "seq", kind="number", minor=True),
        Column("状态", lambda row: words.message_state(way, row.state)),
        Column("试过", "tries", kind="number", minor=True),
        Column("情况", lambda row: words.why(row.code, row.problem)),
        Column("建立" if way == "out" else "收到", begun, sort="id", kind="number", minor=True),
    ]


def filters(actor: Actor, way: str) -> list[Filter]:
    labels = OUTGOING if way == "out" else INCOMING

    def find(rows: QuerySet, text: str) -> QuerySet:
        return rows.filter(Q(message_id=text) | Q(stream__key__in=interop.keys_meant(actor, text)))

    return [
        Filter(
            "state", "状态", lambda rows, code: rows.filter(state=code), list(labels.items()), kind="tabs"
        ),
        Filter("q", "卡的任一号码、教育ID或消息编号", find, kind="search"),
        Filter(
            "kind", "种类", lambda rows, kind: rows.filter(kind=kind), list(words.KINDS_OF_MESSAGE.items())
        ),
        Filter("code", "原因", lambda rows, code: rows.filter(code=code), list(codes.WORDS.items())),
    ]

"""One number range: what became of each of its numbers; closing and opening it; the fate of any number."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

USE_TONES = {"assigned": "progress", "used": "ok", "spoiled": "bad", "returned": "ended"}
_BLANK_TONES = {"in_stock": "neutral", "bound": "progress"} | USE_TONES
_CLOSE_REASONS = [
    ("发号单位收回", "发号单位收回"),
    ("换用新号段", "换用新号段"),
    ("号段有误", "号段登记有误"),
    ("其他", "其他（请写明）"),
]


@require_GET
@portal_view("city:range:read")
def page(request: StaffRequest, range_id: int) -> HttpResponse:
    actor: Actor = request.actor
    view, why_closed, why_not = numbers.range_(actor.scope, range_id)
    on_cards: dict[int, str] = {}
    listing = DataList(
        request,
        numbers.use_rows(actor.scope, range_id),
        name="uses",
        caption="发出的号码",
        columns=[
            Column("号码", "number", kind="code", sort="number"),
            Column("去向", lambda use: Badge(numbers.USE_LABELS[use.state], USE_TONES[use.state])),
            Column("学生卡", lambda use: _card(on_cards.get(use.card_id or 0, "")), kind="code"),
            Column("时间", "at", kind="number", minor=True),
            Column("原因", "reason", minor=True),
        ],
        sorts={"number": ("serial", "id")},
        filters=[
            Filter(
                "state",
                "去向",
                lambda rows, code: rows.filter(state=code),
                list(numbers.USE_LABELS.items()),
                kind="tabs",
            ),
            Filter("q", "号码", lambda rows, text: rows.filter(number=text.strip()), kind="search"),
        ],
        unit="个",
        empty=Empty("还没有发出号码", "批次锁定时，号码按顺序发出，一个不漏。", icon="number-123"),
    )
    on_cards.update(_numbers_of(actor.scope, [use.card_id for use in listing.page.rows if use.card_id]))
    badge = Badge("在用", "ok") if view.is_open else Badge("已停用", "ended")
    shown = {
        "head": ObjectHead(
            title=f"{view.first_number} 至 {view.last_number}",
            kind=f"号段　{view.label}",
            state=Badge("不足", "bad") if view.is_low else badge,
            facts=[
                Fact("发放单位", view.issuer),
                Fact("来文号", view.document),
                Fact("共", view.total),
                Fact("已发", view.given),
                Fact("剩余", view.remaining),
                Fact("预警数量", view.low_water),
                Fact("登记", view.received_at, view.received_by),
                *([Fact("停用理由", why_closed)] if why_closed else []),
            ],
            actions=_actions(actor, view, why_not),
        ),
        "list": listing,
        "title": f"号段 {view.first_number}",
    }
    return render(request, "city/headed_list.html", shown)


@require_POST
@portal_view("city:range:manage")
def act(request: StaffRequest, range_id: int, verb: str) -> HttpResponse:
    """Close the range or open it again, with the reason."""
    said = (request.POST.get("reason", ""), request.POST.get("note", "").strip())
    reason = "：".join(part for part in said if part)
    if verb == "close":
        numbers.close_range(request.actor, range_id, reason)
        flash(request, "号段已停用，不再发号；已发的号码照常有效。")
    else:
        numbers.reopen_range(request.actor, range_id, reason)
        flash(request, "号段已恢复，从停下的地方接着发。")
    return redirect("city:range", range_id)


@require_GET
@portal_view("city:range:read")
def fate(request: StaffRequest) -> HttpResponse:
    """What became of one number, whatever its sort, or of the blank with this chip."""
    asked = request.GET.get("number", "").strip()
    found = numbers.fate(request.actor.scope, asked) if asked else []
    on_cards = _numbers_of(request.actor.scope, [each["card_id"] for each in found if each["card_id"]])
    rows = [
        (
            each["label"],
            Badge(
                (numbers.BLANK_LABELS | numbers.USE_LABELS)[each["state"]],
                _BLANK_TONES[each["state"]],
            ),
            each["origin"],
            _card(on_cards.get(each["card_id"] or 0, "")),
            formats.compact(each["at"]),
            each["reason"],
        )
        for each in found
    ]
    shown = {
        "asked": asked,
        "rows": rows,
        "back": Link("号段与空白卡", reverse("city:numbers")),
        "unknown": Empty(
            "没有发出过这个号码",
            "它不在任何号段已发的部分里，也没有随空白卡到货。请核对号码；一个字符也不能少。",
            icon="zoom-question",
        ),
    }
    return render(request, "city/fate.html", shown)


def _actions(actor: Actor, view: numbers.RangeView, why_not: str) -> list[Action]:
    if not actor.may("city:range:manage"):
        return []
    if view.is_open:
        body = f"剩余的 {view.remaining:,} 个号码不再发出；已发的照常有效。"
        question = Confirm("停用号段", body, "停用", "required", _CLOSE_REASONS)
        url = reverse("city:range_act", args=[view.id, "close"])
        return [Action("停用", url, "post", "lock", confirm=question)]
    question = Confirm("恢复号段", f"接着发剩余的 {view.remaining:,} 个号码。", "恢复", "required")
    url = reverse("city:range_act", args=[view.id, "reopen"])
    return [Action("恢复使用", url, "post", "lock-open", disabled_reason=why_not, confirm=question)]


def _numbers_of(scope: Scope, card_ids: list[int]) -> dict[int, str]:
    return dict(cards.card_rows(scope).filter(id__in=card_ids).values_list("id", "number"))


def _card(number: str) -> Link | str:
    return Link(number, reverse("objects:card", args=[number])) if number else ""

"""The school officer's first page, what came back, and lost cards."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.production import api as production
from xueka.entrypoints.design.listing import Column, DataList
from xueka.entrypoints.design.ui import Action, Empty, Part, ProgressRow, Tile
from xueka.entrypoints.portals.objects import lists, shapes
from xueka.entrypoints.portals.school import kinds
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_UNDERWAY = ("school_review", "district_review", "city_review", "accepted", "in_production")
_SHOWN = 3


@require_GET
@portal_view("school:application:submit")
def home(request: StaffRequest) -> HttpResponse:
    scope: Scope = request.actor.scope
    kind = kinds.chosen(request)
    classes = cards.progress(scope, kind.code)
    shown = {
        "kind": kind,
        "tiles": [_to_apply(classes), _returned(scope), _to_receive(scope), _to_hand_out(scope)],
        "rows": [_row(each) for each in classes],
        "reminders": list(cards.reminders(scope).values()),
    }
    return render(request, "school/home.html", shown)


def _to_apply(classes: list[cards.Progress]) -> Tile:
    count = sum(each.without + each.applied("draft") for each in classes)
    unfinished = sum(1 for each in classes if each.without)
    words = f"{unfinished} 个班还有学生没有卡" if count else "每名学生都已申领"
    action = Action("去申领", reverse("school:apply"), icon="send", tone="primary" if count else "default")
    return Tile("待申领", count, words, action, "wait" if count else "ok", "id-badge-2", "人")


def _returned(scope: Scope) -> Tile:
    found = cards.applications(scope, states=("returned",), limit=_SHOWN)
    count = cards.application_counts(scope, states=["returned"]).get("returned", 0)
    said = "；".join(f"{each.account.student.name}：{shapes.reason(each)}" for each in found)
    words = said or "没有被退回的申领"
    action = Action("去改正", reverse("school:returned"), icon="arrow-back-up")
    return Tile("被退回", count, words, action, "bad" if count else "ok", "arrow-back-up", "人")


def _to_receive(scope: Scope) -> Tile:
    boxes = logistics.boxes(scope, states=("in_transit",))
    days = sorted(box.delivery.expected_on for box in boxes if box.delivery.expected_on)
    words = shapes.expected(days[0] if days else None) if boxes else "没有箱子在路上"
    action = Action("收货", reverse("school:receive"), icon="barcode")
    return Tile("待收货", len(boxes), words, action, "progress" if boxes else "ok", "package", "箱")


def _to_hand_out(scope: Scope) -> Tile:
    count = cards.card_counts(scope, states=["at_school"]).get("at_school", 0)
    words = "卡已到校，还没有发到学生手里" if count else "到校的卡都已发放"
    action = Action("去发放", reverse("school:hand_out"), icon="hand-grab")
    return Tile("待发放", count, words, action, "wait" if count else "ok", "hand-grab", "张")


def _row(each: cards.Progress) -> ProgressRow:
    """Holding, at school, under way, returned, not yet applied: they add up to the class."""
    arrived = each.made("at_school")
    underway = each.applied(*_UNDERWAY) - arrived
    parts = [
        Part("已发放", each.holding, "ok"),
        Part("待发放", arrived, "wait"),
        Part("审核、制卡、配送", underway, "progress"),
        Part("被退回", each.applied("returned"), "bad"),
        Part("待申领", each.without + each.applied("draft"), "neutral"),
    ]
    url = reverse("school:apply_class", args=[each.id])
    stage, grade, name = each.label
    return ProgressRow(production.class_label(stage, grade, name), parts, each.students, url)


@require_GET
@portal_view("school:application:submit")
def returned(request: StaffRequest) -> HttpResponse:
    """What came back, each with its reason; opening one leads to the place where it is corrected."""
    listing = DataList(
        request,
        cards.application_rows(request.actor.scope).filter(state="returned"),
        name="returned",
        caption="被退回的申领",
        columns=[
            Column("姓名", "account__student__name"),
            *lists.place_columns(request.actor.scope),
            Column("退回理由", shapes.reason),
            Column("申领号", "number", kind="code", minor=True),
            Column("退回时间", "updated_at", sort="since", kind="number", minor=True),
        ],
        sorts={"since": ("updated_at", "id")},
        url=lambda row: shapes.application_url(row.number),
        label=lambda row: row.account.student.name,
        unit="人",
        empty=Empty(
            "没有被退回的申领",
            "审核时发现照片或信息有问题的，会带着理由回到这里。",
            Action("看全部申领", reverse("objects:applications")),
            "checks",
        ),
    )
    words = "点开一份，按理由改正，再提交。"
    return render(request, "objects/list.html", {"title": "被退回", "sub": words, "list": listing})


@require_GET
@portal_view("school:card:report_lost")
def lost(request: StaffRequest) -> HttpResponse:
    """Find the card of a child who lost it (or found it again); its page does the rest."""
    rows = cards.card_rows(request.actor.scope).filter(state__in=cards.LIVE)
    listing = lists.card_listing(
        request,
        rows,
        states_shown=tuple(cards.LIVE),
        empty=Empty("还没有在用的卡", "发放之后，学生的卡会出现在这里。", icon="id"),
    )
    words = "找到学生，点开，挂失或解挂。挂失本系统即时生效。"
    return render(request, "objects/list.html", {"title": "挂失补换", "sub": words, "list": listing})

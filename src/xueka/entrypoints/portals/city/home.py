"""The operator's first page: the line from application to hand, what is stuck, and what runs out."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production import api as production
from xueka.entrypoints.design.ui import Action, FlowStage, Gauge, HeatTile, Tile
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("city:batch:read")
def home(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    shown = {
        "tiles": _tiles(scope),
        "flow": _flow(scope),
        "districts": _districts(scope),
        "gauges": gauges(scope),
    }
    return render(request, "city/home.html", shown)


def _tiles(scope: Scope) -> list[Tile]:
    applications = cards.application_counts(scope)
    batches = production.batch_counts(scope)
    problems = sum(production.problem_counts(scope).values())
    road = logistics.counts(scope)
    made = cards.card_counts(scope).get("made", 0)
    locked = batches.get("locked", (0, 0, None))[0]
    return [
        Tile(
            "待受理",
            applications.get("city_review", 0),
            "区里已通过、等市级受理的申领",
            Action("去受理", reverse("objects:review")),
            "wait",
            "checks",
            "份",
        ),
        Tile(
            "待组批",
            applications.get("accepted", 0),
            "已受理、还没有进批次",
            Action("组批", reverse("city:batch_new")),
            "wait",
            "stack-2",
            "份",
        ),
        Tile(
            "待复核批次",
            locked,
            "须由锁定人以外的人复核",
            Action("去复核", f"{reverse('city:batches')}?state=locked"),
            "wait",
            "user-check",
            "批",
        ),
        Tile(
            "问题",
            problems + road.discrepancies_open,
            f"回盘问题 {problems} 个，收货差异 {road.discrepancies_open} 个",
            Action("去处理", reverse("city:problems" if problems else "city:discrepancies")),
            "bad" if problems + road.discrepancies_open else "ok",
            "alert-triangle",
            "个",
        ),
        Tile(
            "待装箱",
            made,
            "已制成、还没有装箱的卡",
            Action("装箱", reverse("city:deliveries")),
            "wait",
            "package",
            "张",
        ),
    ]


def _flow(scope: Scope) -> list[FlowStage]:
    """Applications, then batches, then cards on their way: each number a link, the oldest of each named."""
    applications = cards.application_counts(scope)
    batches = production.batch_counts(scope)
    on_way = cards.card_counts(scope)

    def of(*states: str) -> tuple[int, datetime | None]:
        found = [batches[state] for state in states if state in batches]
        return sum(each[1] for each in found), min((each[2] for each in found), default=None)

    listed = reverse("objects:applications")
    batch_list = reverse("city:batches")
    card_list = reverse("objects:cards")

    def batch_stage(label: str, icon: str, *states: str) -> FlowStage:
        count, oldest = of(*states)
        return FlowStage(label, count, f"{batch_list}?state={states[0]}", oldest, icon=icon)

    returned = applications.get("returned", 0)
    problems = sum(production.problem_counts(scope).values())
    reconciling = batch_stage("回盘", "file-search", "reconciling")
    return [
        FlowStage(
            "申领",
            applications.get("draft", 0) + returned,
            f"{listed}?state=draft",
            stuck=returned,
            stuck_url=f"{listed}?state=returned",
            icon="file-plus",
        ),
        FlowStage(
            "区审",
            applications.get("district_review", 0),
            f"{listed}?state=district_review",
            icon="eye-check",
        ),
        FlowStage("受理", applications.get("city_review", 0), f"{listed}?state=city_review", icon="checks"),
        FlowStage("号段", applications.get("accepted", 0), f"{listed}?state=accepted", icon="number-123"),
        batch_stage("批次", "stack-2", "locked", "open", "approved", "ready"),
        batch_stage("卡厂", "building-factory-2", "acknowledged", "sent", "bounced"),
        FlowStage(
            "回盘",
            reconciling.count,
            reconciling.url,
            reconciling.oldest,
            problems,
            reverse("city:problems"),
            "file-search",
        ),
        FlowStage(
            "装箱",
            on_way.get("made", 0) + on_way.get("packed", 0),
            reverse("city:deliveries"),
            icon="package",
        ),
        FlowStage(
            "到校", on_way.get("in_transit", 0), f"{card_list}?state=in_transit", icon="truck-delivery"
        ),
        FlowStage("发放", on_way.get("at_school", 0), f"{card_list}?state=at_school", icon="hand-grab"),
    ]


def _districts(scope: Scope) -> list[HeatTile]:
    return [
        HeatTile(
            each.name,
            round(100 * each.with_card / each.entitled) if each.entitled else None,
            words=f"{each.with_card:,} / {each.entitled:,}",
        )
        for each in cards.district_progress(scope)
    ]


def gauges(scope: Scope) -> list[Gauge]:
    """One gauge per kind of number: what is left and when it runs out at the present pace."""
    totals: dict[str, int] = {}
    for each in numbers.ranges(scope):
        if each.is_open:
            totals[each.sort] = totals.get(each.sort, 0) + each.total
    return [
        Gauge(
            level.label,
            max(0, totals.get(level.sort, 0) - level.remaining),
            max(totals.get(level.sort, 0), level.remaining),
            level.low_water,
            f"还剩 {level.remaining:,} 个",
            level.runs_out_on,
            reverse("city:numbers"),
        )
        for level in numbers.levels(scope)
    ]

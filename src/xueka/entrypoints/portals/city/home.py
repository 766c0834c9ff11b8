"""The operator's first page: the line from application to hand, what is stuck, and what runs out."""

from dataclasses import replace
from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production import api as production
from xueka.contexts.reporting import api as reporting
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.ui import Action, FlowStage, Gauge, HeatTile, Tile
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_DAYS = 30
_BEHIND = 10  # percent below the city: the district's tile says so


@require_GET
@portal_view("city:batch:read")
def home(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    ages = reporting.ageing(scope)
    days = _days(scope)
    shown = {
        "tiles": _tiles(scope),
        "flow": _flow(scope, {age.step: age for age in ages}),
        "districts": _districts(scope),
        "days": [(formats.short_day(day.day).split(" ")[0], day) for day in days],
        "planned": any(day.planned is not None for day in days),
        "term": reporting.term().label,
        "ages": ages,
        "bands": reporting.AGE_BANDS,
        "gauges": gauges(scope),
    }
    return render(request, "city/home.html", shown)


def _tiles(scope: Scope) -> list[Tile]:
    applications = cards.application_counts(scope, states=cards.OPEN_APPLICATION)
    batches = production.batch_counts(scope)
    problems = sum(production.problem_counts(scope).values())
    road = logistics.counts(scope)
    made = cards.card_counts(scope, states=["made"]).get("made", 0)
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


def _flow(scope: Scope, ages: dict[str, reporting.Age]) -> list[FlowStage]:
    """Applications, then batches, then cards on their way: each number a link, with the oldest and the
    stuck.
    """
    batches = production.batch_counts(scope)
    papers, plastic = reverse("objects:applications"), reverse("objects:cards")
    batch_list = reverse("city:batches")

    def stage(label: str, icon: str, listed: str, *states: str) -> FlowStage:
        found = [ages[state] for state in states if state in ages]
        # The link of the stuck leads to the state in which most of them are.
        worst = max(found, key=_stuck, default=None)
        return FlowStage(
            label,
            sum(age.total for age in found),
            f"{listed}?state={states[0]}",
            min((age.oldest for age in found if age.oldest), default=None),
            sum(map(_stuck, found)),
            f"{listed}?state={worst.step}" if worst else "",
            icon,
        )

    def batch_stage(label: str, icon: str, *states: str) -> FlowStage:
        found = [batches[state] for state in states if state in batches]
        oldest = min((each[2] for each in found), default=None)
        return FlowStage(
            label, sum(each[1] for each in found), f"{batch_list}?state={states[0]}", oldest, icon=icon
        )

    draft = cards.application_counts(scope, states=["draft"]).get("draft", 0)
    returned = stage("申领", "file-plus", papers, "returned")
    problems = sum(production.problem_counts(scope).values())
    reconciling = batch_stage("回盘", "file-search", "reconciling")
    return [
        replace(
            returned,
            count=draft + returned.count,
            url=f"{papers}?state={'draft' if draft else 'returned'}",
            stuck=returned.count,
            stuck_url=f"{papers}?state=returned",
        ),
        stage("区审", "eye-check", papers, "district_review"),
        stage("受理", "checks", papers, "city_review"),
        stage("号段", "number-123", papers, "accepted"),
        batch_stage("批次", "stack-2", "locked", "open", "approved", "ready"),
        batch_stage("卡厂", "building-factory-2", "acknowledged", "sent", "bounced"),
        replace(reconciling, stuck=problems, stuck_url=reverse("city:problems")),
        stage("装箱", "package", plastic, "made", "packed"),
        stage("到校", "truck-delivery", plastic, "in_transit"),
        stage("发放", "hand-grab", plastic, "at_school"),
    ]


def _stuck(age: reporting.Age) -> int:
    """What has waited longer than the last band of the ageing table but one."""
    return age.counts[-1]


def _districts(scope: Scope) -> list[HeatTile]:
    found = reporting.by_district(scope)
    whole = reporting.total(found).percent or 0
    return [
        HeatTile(
            each.name,
            each.figures.percent,
            f"{reverse('objects:applications')}?district={each.code}",
            f"{each.figures.holding:,} / {each.figures.students:,}",
            each.figures.percent is not None and each.figures.percent < whole - _BEHIND,
        )
        for each in found
    ]


def _days(scope: Scope) -> list[reporting.Day]:
    today = clock.today()
    return reporting.throughput(scope, today - timedelta(days=_DAYS - 1), today)


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
            "按现在的速度，十年内用不完" if level.pace else "近 30 天没有发号，估不出哪天用完",
            level.runs_out_on,
            reverse("city:numbers"),
        )
        for level in numbers.levels(scope)
    ]

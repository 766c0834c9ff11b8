"""The district officer's first page, and the heat table school × step."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.ui import Action, Empty, HeatTable, Link, Tile
from xueka.entrypoints.portals.objects.review import queue_rows
from xueka.kernel.errors import Refused
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_STEPS = ["申领", "区审", "制卡", "到校", "发放"]
_MADE = ("made", "packed", "in_transit", "at_school")


@require_GET
@portal_view("district:application:review")
def home(request: StaffRequest) -> HttpResponse:
    scope: Scope = request.actor.scope
    schools = cards.waiting_by_school(scope, "district_review")
    shown = {
        "tiles": _tiles(scope, schools),
        "rows": queue_rows(schools[:10]),
        "empty": Empty("没有待审的申领", "学校提交后，会按先后出现在这里。", icon="checks"),
        "table": _table(scope, limit=10),
    }
    return render(request, "district/home.html", shown)


@require_GET
@portal_view("school:application:read")
def progress(request: StaffRequest) -> HttpResponse:
    """Every school × step, the latest school first."""
    return render(request, "district/progress.html", {"table": _table(request.actor.scope)})


def _tiles(scope: Scope, schools: list[cards.Waiting]) -> list[Tile]:
    clean, doubtful = sum(each.clean for each in schools), sum(each.doubtful for each in schools)
    oldest = f"最早的已等 {formats.age(schools[0].oldest)}" if schools else "没有学校在等"
    review = reverse("objects:review")
    moving = registry.transfer_rows(scope).filter(state="open").count()
    counts = cards.application_counts(scope)
    return [
        Tile(
            "等候的学校",
            len(schools),
            oldest,
            Action("去审核", review, icon="checks", tone="primary"),
            "wait" if schools else "ok",
            "building",
            "所",
        ),
        Tile(
            "没有疑问",
            clean,
            "可以按学校一次通过",
            Action("按学校通过", review),
            "progress" if clean else "ok",
            "circle-check",
            "份",
        ),
        Tile(
            "需要看一看",
            doubtful,
            "照片、重复、转学、补卡",
            Action("逐个看", review),
            "wait" if doubtful else "ok",
            "eye",
            "份",
        ),
        Tile(
            "退回未改",
            counts.get("returned", 0),
            "等学校改正后再提交",
            Action("看退回", f"{reverse('objects:applications')}?state=returned"),
            "bad" if counts.get("returned") else "ok",
            "arrow-back-up",
            "份",
        ),
        Tile(
            "转学待确认",
            moving,
            "转出或转入本区",
            Action("去确认", reverse("district:transfers")),
            "wait" if moving else "ok",
            "transfer",
            "人",
        ),
    ]


def _table(scope: Scope, limit: int | None = None) -> HeatTable | None:
    opened = cards.kinds()
    if not opened:
        raise Refused("KIND_NONE_OPEN", "现在没有开放申领的卡种。", action="请等待市级开放。")
    found = cards.progress(scope, opened[0].code, by="school")
    ordered = sorted(found, key=lambda each: (_reached(each)[0] / each.students, each.label))
    rows = [_row(each) for each in ordered[:limit]]
    caption = f"{opened[0].name}：各校学生走到每一步的百分比，落后的在前"
    return HeatTable("学校", _STEPS, rows, caption) if rows else None


def _reached(each: cards.Progress) -> tuple[int, ...]:
    """How many students have come at least as far as each step."""
    reviews = ("school_review", "district_review", "returned")
    accepted = each.applied("city_review", "accepted", "in_production")
    return (
        each.holding + accepted + each.applied(*reviews),
        each.holding + accepted,
        each.holding + each.made(*_MADE),
        each.holding + each.made("at_school"),
        each.holding,
    )


def _row(each: cards.Progress) -> tuple[Link, list[int | None], Action | None]:
    code, name = each.label
    url = f"{reverse('objects:applications')}?school={code}"
    return Link(str(name), url), [reached * 100 // each.students for reached in _reached(each)], None

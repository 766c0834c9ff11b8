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
from xueka.kernel import clock
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
        **_progress(request, limit=10),
    }
    return render(request, "district/home.html", shown)


@require_GET
@portal_view("school:application:read")
def progress(request: StaffRequest) -> HttpResponse:
    """Every school × step, the latest school first."""
    return render(request, "district/progress.html", _progress(request))


def _tiles(scope: Scope, schools: list[cards.Waiting]) -> list[Tile]:
    clean, doubtful = sum(each.clean for each in schools), sum(each.doubtful for each in schools)
    oldest = f"最早的已等 {formats.age(schools[0].oldest)}" if schools else "没有学校在等"
    review = reverse("objects:review")
    moving = registry.transfer_rows(scope).filter(state="open").count()
    counts = cards.application_counts(scope, states=["returned"])
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


def _progress(request: StaffRequest, limit: int | None = None) -> dict[str, object]:
    """The heat table, the latest school first, and the one click that reminds all that are late."""
    scope: Scope = request.actor.scope
    may = request.actor.may("district:school:remind")
    opened = cards.kinds()
    if not opened:
        raise Refused("KIND_NONE_OPEN", "现在没有开放申领的卡种。", action="请等待市级开放。")
    found = cards.progress(scope, opened[0].code, by="school")
    ordered = sorted(found, key=lambda each: (_reached(each)[0] / each.students, each.label))
    said = cards.reminders(scope) if may else {}
    today = clock.today()
    late = [each.id for each in ordered if cards.late(each)]
    due = [id_ for id_ in late if id_ not in said or said[id_].sent_on < today]
    rows = [_row(each, _reminder(each, said.get(each.id)) if may else None) for each in ordered[:limit]]
    caption = f"{opened[0].name}：各校学生走到每一步的百分比，落后的在前"
    nobody = "今天都提醒过了。" if late else "没有落后的学校。"
    remind = Action(
        f"提醒落后的 {len(due)} 所学校" if due else "提醒落后的学校",
        reverse("district:remind"),
        "post",
        "bell-ringing",
        disabled_reason="" if due else nobody,
        params={"school": due, "next": request.path},
    )
    return {
        "table": HeatTable("学校", _STEPS, rows, caption) if rows else None,
        "remind": remind if may and rows else None,
    }


def _reminder(each: cards.Progress, last: cards.Reminder | None) -> Action | None:
    if not cards.late(each):
        return None
    if last and last.sent_on == clock.today():
        until = formats.short_day(last.due_on)
        return Action("已提醒", icon="bell-check", disabled_reason=f"今天已提醒，请它在 {until} 前办完。")
    words = f"再提醒（上次 {formats.short_day(last.sent_on)}）" if last else "提醒"
    params = {"school": [each.id], "next": reverse("district:progress")}
    return Action(words, reverse("district:remind"), "post", "bell", params=params)


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


def _row(each: cards.Progress, action: Action | None) -> tuple[Link, list[int | None], Action | None]:
    code, name = each.label
    url = f"{reverse('objects:applications')}?school={code}"
    return Link(str(name), url), [reached * 100 // each.students for reached in _reached(each)], action

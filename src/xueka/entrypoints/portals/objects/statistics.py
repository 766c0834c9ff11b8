"""Statistics of a city, a district or a school for a term: pictures first, the file one click away."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.contexts.reporting import api as reporting
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.ui import Action, HeatTile, Link, ProgressRow, Tile
from xueka.entrypoints.design.ui import Part as Piece
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@dataclass(frozen=True, slots=True)
class Place:
    """What the page is about: a scope inside the actor's own, its name, and the way up."""

    scope: Scope
    name: str
    up: Link | None = None


@require_GET
@portal_view("school:statistics:read")
def page(request: StaffRequest) -> HttpResponse:
    place = place_of(request)
    term = reporting.term(request.GET.get("term", ""))
    places = places_of(place.scope, term.code)
    figures = reporting.total(places)
    before = reporting.flows_of(place.scope, term.previous_code)
    weeks = reporting.plan_progress(place.scope, term.code)
    shown = {
        "place": place,
        "term": term,
        "terms": [
            (each.label, _address(request, term=each.code), each.code == term.code)
            for each in reporting.terms()
        ],
        "actions": [
            Action("导出 XLSX", _address(request, "objects:statistics_file", term=term.code), icon="download")
        ],
        "figures": figures,
        "tiles": _tiles(figures, before),
        "weeks": weeks,
        "planned": any(week.planned is not None for week in weeks),
        "plan_url": f"{reverse('city:plan')}?term={term.code}"
        if request.actor.may("city:plan:manage")
        else "",
        "ages": reporting.ageing(place.scope),
        "bands": reporting.AGE_BANDS,
        "waits": reporting.turnaround(place.scope, term.code),
        "reasons": [each for each in reporting.replacements(place.scope, term.code) if each.reason != "new"],
        "tiles_of": _heat(request, places, term.code) if place.scope.level != "school" else [],
        "places": [(each, _into(request, each, term.code)) for each in places],
        "classes": _classes(place.scope) if place.scope.level == "school" else [],
        "as_of": reporting.as_of(place.scope),
    }
    return render(request, "objects/statistics.html", shown)


def place_of(request: StaffRequest) -> Place:
    """The place that the address names, if it lies inside the actor's scope; else NotFound."""
    scope = request.actor.scope
    if code := request.GET.get("school", ""):
        school = registry.school(scope, code)
        above = Link(school.district.name, _address(request, school="", district=school.district_id))
        return Place(Scope("school", school.district_id, school.code), school.name, above)
    if code := request.GET.get("district", ""):
        if code not in DISTRICTS or scope.level == "school" or scope.district not in ("", code):
            raise NotFound("DISTRICT_NOT_FOUND", "没有这个区。")
        up = Link("全市", _address(request, district="")) if scope.level == "city" else None
        return Place(Scope("district", code), DISTRICTS[code], up)
    if scope.level == "school":
        return Place(scope, registry.school(scope, scope.school).name)
    if scope.level == "district":
        return Place(scope, DISTRICTS[scope.district])
    return Place(scope, "全市")


def places_of(scope: Scope, code: str) -> list[reporting.Place]:
    """The parts that a place is shown by: districts of the city, schools of a district, a school itself."""
    return (reporting.by_district if scope.level == "city" else reporting.by_school)(scope, code)


def _tiles(now: reporting.Figures, before: reporting.Figures) -> list[Tile]:
    held = f"{now.percent}%" if now.percent is not None else "—"
    rate = f"{now.replaced * 1000 / now.holding:.1f} 份" if now.holding else "—"
    rows: list[tuple[str, int | str, str, str, str, str]] = [
        ("持卡率", held, f"{now.holding:,} / {now.students:,} 名应持卡学生", "ok", "id-badge-2", ""),
        ("本学期发放", now.handed_out, f"上学期 {before.handed_out:,} 张", "progress", "hand-grab", "张"),
        (
            "在办申领",
            now.applying + now.accepted,
            f"其中已受理 {now.accepted:,} 份",
            "wait",
            "file-check",
            "份",
        ),
        (
            "制作与在途",
            now.making + now.on_way + now.at_school,
            f"到校待发 {now.at_school:,} 张",
            "progress",
            "truck-delivery",
            "张",
        ),
        (
            "补换",
            now.replaced,
            f"每千张在用卡 {rate}；上学期 {before.replaced:,} 份",
            "neutral",
            "refresh",
            "份",
        ),
        (
            "挂失",
            now.reported_lost,
            f"现处挂失 {now.lost:,} 张；上学期 {before.reported_lost:,} 次",
            "neutral",
            "lock",
            "次",
        ),
        ("缺照片", now.without_photo, "应持卡学生", _wait(now.without_photo), "photo-off", "人"),
        ("缺监护人同意", now.without_consent, "应持卡学生", _wait(now.without_consent), "writing-sign", "人"),
    ]
    return [
        Tile(label, number, words, tone=tone, icon=icon, unit=unit)
        for label, number, words, tone, icon, unit in rows
    ]


def _wait(number: int) -> str:
    return "wait" if number else "ok"


def _heat(request: StaffRequest, places: list[reporting.Place], code: str) -> list[HeatTile]:
    return [
        HeatTile(
            each.name,
            each.figures.percent,
            _into(request, each, code),
            f"{each.figures.holding:,} / {each.figures.students:,}",
        )
        for each in places[:60]
    ]


def _classes(scope: Scope) -> list[ProgressRow]:
    opened = cards.kinds()
    if not opened:
        return []
    return [
        ProgressRow(
            production.class_label(*each.label),
            [Piece("持卡", each.holding, "ok"), Piece("办理中", sum(each.applications.values()), "progress")],
            each.students,
        )
        for each in cards.progress(scope, opened[0].code)
    ]


def _into(request: StaffRequest, place: reporting.Place, code: str) -> str:
    if place.code == place.district:
        return _address(request, district=place.code, term=code)
    return _address(request, school=place.code, district="", term=code)


def _address(request: StaffRequest, name: str = "objects:statistics", **changes: str) -> str:
    query = request.GET.copy()
    for key, value in changes.items():
        if value:
            query[key] = value
        else:
            query.pop(key, None)
    return f"{reverse(name)}?{query.urlencode()}" if query else reverse(name)


def hours(number: int | None) -> str:
    """Whole hours as people say them."""
    return formats.NOTHING if number is None else f"{number} 小时" if number < 48 else f"{number / 24:.1f} 天"

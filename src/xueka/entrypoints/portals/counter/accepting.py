"""Accepted applications: which of them are made here instead of at the bureau."""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Empty, Link, Preview, Wont
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import BadInput
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

MAY = "district:application:to_counter"
_VERBS = {"to_counter": cards.to_counter, "to_bureau": cards.to_bureau}
_BACK = {"to_counter": "to_bureau", "to_bureau": "to_counter"}
_WORDS = {
    "to_counter": "离开组批的名单，在柜台当面制卡。",
    "to_bureau": "回到组批的名单，由卡厂制卡。",
}
_AT_ONCE, _EXAMPLES = 500, 8
_STATES = [("accepted", "等组批"), ("at_counter", "待柜台制卡")]


@require_GET
@portal_view(MAY)
def accepted(request: StaffRequest) -> HttpResponse:
    """Replacements that wait for a batch or for a counter."""
    listing = DataList(
        request,
        _rows(request.actor.scope),
        name="counter_accepted",
        caption="已受理的申领",
        columns=[
            Column("姓名", "account__student__name", sort="name"),
            Column("申领号", "number", kind="code", minor=True),
            Column("学校", "school__name", minor=True),
            Column("原因", lambda row: cards.REASONS[row.reason]),
            Column("状态", lambda row: states.badge("application", row.state)),
        ],
        sorts={"oldest": ("updated_at", "id"), "name": ("account__student__sort_key", "id")},
        filters=_filters(),
        bulk=[
            Bulk("改为柜台制卡", _url("preview", "to_counter"), "id", "primary", "a"),
            Bulk("改回卡厂制卡", _url("preview", "to_bureau"), "arrow-back-up"),
        ],
        url=lambda row: shapes.application_url(row.number),
        label=lambda row: row.account.student.name,
        unit="份",
        empty=Empty("没有已受理的申领", "补换申领通过审核后，会出现在这里。", icon="checks"),
    )
    shown = {
        "title": "已受理的申领",
        "sub": "勾选要当面制卡的，改为柜台制卡；其余的由卡厂制卡。",
        "list": listing,
        "back": Link("即时制卡", reverse("counter:home")),
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view(MAY)
def preview(request: StaffRequest, verb: str) -> HttpResponse:
    if verb not in _VERBS:
        raise Http404
    scope, chosen = request.actor.scope, Selection.of(request)
    if chosen.everything:
        rows = narrow(_rows(scope), _filters(), chosen.filters)
        ids = list(rows.order_by("id").values_list("id", flat=True)[:_AT_ONCE])
    else:
        ids = _numbers(chosen.keys)
    result = cards.preview_counter(verb, request.actor, ids)
    found = {each.id: each for each in cards.applications_by_id(scope, ids)}
    wont: dict[str, list[Link]] = defaultdict(list)
    for id_, _, message in result.refused:
        wont[message].append(_link(found[id_]))
    label = cards.APPLICATION.event_label(verb)
    doing = Action(
        f"{label} {len(result.done)} 份",
        _url("do", verb),
        "post",
        "check",
        "primary",
        disabled_reason="" if result.done else "所选的一份也不能办理。",
        params={"keys": result.done},
    )
    shown = Preview(
        label,
        len(result.done),
        _WORDS[verb],
        doing,
        reverse("counter:accepted"),
        wont=[Wont(message, len(each), each[:_EXAMPLES]) for message, each in wont.items()],
        examples=[_link(found[id_]) for id_ in result.done[:_EXAMPLES]],
        unit="份",
    )
    return render(request, "objects/preview.html", {"title": label, "preview": shown})


@require_POST
@portal_view(MAY)
def do(request: StaffRequest, verb: str) -> HttpResponse:
    if verb not in _VERBS:
        raise Http404
    result = _VERBS[verb](request.actor, _numbers(Selection.of(request).keys))
    undo = None
    if result.done:
        said, params = cards.APPLICATION.event_label(_BACK[verb]), {"keys": result.done}
        undo = Action(said, _url("do", _BACK[verb]), "post", "arrow-back-up", params=params)
    rest = f"；{len(result.refused)} 份没有办：{result.refused[0][2]}" if result.refused else ""
    label = cards.APPLICATION.event_label(verb)
    flash(request, f"{label} {len(result.done)} 份{rest}。", "wait" if result.refused else "ok", undo)
    return redirect(reverse("counter:accepted"))


def _rows(scope: Scope) -> QuerySet[cards.Application]:
    return cards.application_rows(scope).filter(state__in=[code for code, _ in _STATES])


def _filters() -> list[Filter]:
    return [
        Filter(
            "q",
            "姓名、教育ID、申领号",
            cards.find_applications,
            kind="search",
        ),
        Filter("state", "状态", lambda rows, code: rows.filter(state=code), choices=_STATES, kind="tabs"),
        Filter(
            "reason",
            "原因",
            lambda rows, code: rows.filter(reason=code),
            choices=list(cards.REASONS.items()),
        ),
    ]


def _url(what: str, verb: str) -> str:
    return reverse(f"counter:accepted_{what}", args=[verb])


def _numbers(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何一份。", action="请返回列表，勾选后再办理。")
    return [int(key) for key in keys]


def _link(application: cards.Application) -> Link:
    return Link(application.account.student.name, shapes.application_url(application.number))

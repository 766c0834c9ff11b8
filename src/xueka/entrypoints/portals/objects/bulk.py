"""Acting on many applications: first what will and will not happen, then the act on exactly those."""

from collections import defaultdict
from collections.abc import Sequence

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from xueka.contexts.cards import api as cards
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Selection, narrow
from xueka.entrypoints.design.ui import Action, Link, Preview, Wont
from xueka.entrypoints.portals.objects import lists, shapes
from xueka.entrypoints.portals.objects.application_views import do as act
from xueka.kernel.errors import BadInput
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE = 5000
_EXAMPLES = 8
_WORDS = {
    "submit": "送交审核。",
    "withdraw": "撤回后，以后可以重新申领。",
    "approve": "通过后进入下一级。",
    "recall": "收回后由您重新审核。",
}
_UNDO = {"submit": "withdraw", "approve": "recall"}


@require_POST
@portal_view("school:application:read")
def preview(request: StaffRequest, verb: str) -> HttpResponse:
    actor: Actor = request.actor
    if verb not in lists.bulk_verbs(actor):
        raise Http404
    ids = _chosen(actor, Selection.of(request))
    result = cards.preview(verb, actor, ids)
    found = {each.id: each for each in cards.applications_by_id(actor.scope, ids)}
    wont: dict[str, list[cards.Application]] = defaultdict(list)
    for id_, _, message in result.refused:
        wont[message].append(found[id_])
    label = cards.APPLICATION.event_label(verb)
    back = _onward(request) or reverse("objects:applications")
    doing = Action(
        f"{label} {len(result.done)} 份",
        reverse("objects:bulk_do", args=[verb]),
        "post",
        "check",
        "primary",
        disabled_reason="" if result.done else "所选的一份也不能办理。",
        params={"keys": result.done, "next": back},
    )
    shown = Preview(
        f"{label}申领",
        len(result.done),
        _WORDS[verb],
        doing,
        back,
        wont=[
            Wont(message, len(each), [_link(one) for one in each[:_EXAMPLES]])
            for message, each in wont.items()
        ],
        examples=[_link(found[id_]) for id_ in result.done[:_EXAMPLES]],
        unit="份",
    )
    return render(request, "objects/preview.html", {"title": f"{label}申领", "preview": shown})


@require_POST
@portal_view("school:application:read")
def do(request: StaffRequest, verb: str) -> HttpResponse:
    if verb not in lists.bulk_verbs(request.actor):
        raise Http404
    result = act(request.actor, verb, _numbers(Selection.of(request).keys))
    label = cards.APPLICATION.event_label(verb)
    onward = _onward(request) or reverse("objects:applications")
    undo = None
    if result.done and (back := _UNDO.get(verb)):
        params = {"keys": result.done, "next": onward}
        said = cards.APPLICATION.event_label(back)
        undo = Action(said, reverse("objects:bulk_do", args=[back]), "post", "arrow-back-up", params=params)
    rest = f"；{len(result.refused)} 份没有办：{result.refused[0][2]}" if result.refused else ""
    flash(request, f"{label} {len(result.done)} 份{rest}。", "wait" if result.refused else "ok", undo)
    return redirect(onward)


def _onward(request: StaffRequest) -> str:
    onward = request.POST.get("next", "")
    return onward if url_has_allowed_host_and_scheme(onward, allowed_hosts=None) else ""


def _chosen(actor: Actor, selection: Selection) -> list[int]:
    if not selection.everything:
        return _numbers(selection.keys)
    filters: QueryDict = selection.filters
    rows = narrow(cards.application_rows(actor.scope), lists.application_filters(actor.scope), filters)
    ids = list(rows.order_by("id").values_list("id", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        raise BadInput(
            "SELECTION_TOO_LARGE",
            f"一次最多办理 {AT_ONCE:,} 份。",
            found=f"超过 {AT_ONCE:,} 份",
            action="请先按学校或班级筛选，分几次办理。",
        )
    return ids


def _numbers(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何一份。", action="请返回列表，勾选后再办理。")
    return [int(key) for key in keys]


def _link(application: cards.Application) -> Link:
    return Link(application.account.student.name, shapes.application_url(application.number))

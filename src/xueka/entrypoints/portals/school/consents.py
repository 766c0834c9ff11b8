"""Consent on paper, class by class: whoever handed the slip in is ticked; the others stay on the list."""

from collections.abc import Sequence

from django import forms
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.production import api as production
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Badge, Empty, Link
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.school import places
from xueka.kernel.errors import BadInput, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

LOOKS = {"given": Badge("已同意", "ok"), "withdrawn": Badge("已撤回", "stop"), None: Badge("没有", "wait")}
_VERSION = "xueka-notice-version"


class SlipsForm(WordedForm):
    notice_version = forms.CharField(
        label="告知书版本", max_length=32, help_text="印在告知书页脚，例如 2024-1。"
    )
    method = forms.ChoiceField(label="方式", choices=list(registry.CONSENT_METHODS.items()), initial="paper")


@require_GET
@portal_view("school:consent:record")
def classes(request: StaffRequest) -> HttpResponse:
    """How many slips each class still owes."""
    actor: Actor = request.actor
    rows = [
        (
            Link(
                production.class_label(stage, int(grade), name),
                reverse("school:consent_class", args=[int(found.key)]),
            ),
            found.students,
            found.given,
            found.missing,
        )
        for found in registry.consent_counts(actor.scope, "class")
        for stage, grade, name in [found.label]
    ]
    printed = Action(
        "缺交名单", reverse("objects:consents_missing", args=[actor.scope.school]), icon="printer"
    )
    empty = Empty("还没有学生", "导入名册后，各班会出现在这里。", icon="users")
    return render(
        request, "school/consents.html", {"rows": rows, "actions": [printed] if rows else [], "empty": empty}
    )


@require_GET
@portal_view("school:consent:record")
def school_class(request: StaffRequest, class_id: int) -> HttpResponse:
    """The class list; tick those whose slip is in the hand."""
    own = places.own_class(request.actor, class_id)
    listing = DataList(
        request,
        _students(request.actor, class_id),
        name="consents",
        caption="学生",
        columns=[
            Column("姓名", "name", sort="name"),
            Column("教育ID", "education_id", kind="code"),
            Column("监护人同意", lambda row: LOOKS[row.consent]),
        ],
        sorts={"name": ("sort_key", "id")},
        filters=_filters(),
        bulk=[
            Bulk(
                "登记同意", reverse("school:consent_ask", args=[class_id, "given"]), "check", "primary", "a"
            ),
            Bulk(
                "登记撤回",
                reverse("school:consent_ask", args=[class_id, "withdrawn"]),
                "arrow-back-up",
            ),
        ],
        url=lambda row: shapes.student_url(row.education_id),
        label=lambda row: row.name,
        size=100,
        unit="人",
        empty=Empty("这个班没有在读的学生", "名册里转入的学生会出现在这里。", icon="users"),
    )
    shown = {
        "title": f"同意书：{shapes.class_of(own)}",
        "sub": "勾选交了纸质回执的学生，登记同意；没有交的留在名单上。",
        "list": listing,
        "back": Link("全部班级", reverse("school:consents")),
    }
    return render(request, "objects/list.html", shown)


@require_POST
@portal_view("school:consent:record")
def ask(request: StaffRequest, class_id: int, action: str) -> HttpResponse:
    """Who it will be, and for which notice."""
    ids = _chosen(request.actor, class_id, Selection.of(request))
    form = SlipsForm(initial={"notice_version": request.session.get(_VERSION, "")})
    return _ask(request, class_id, action, ids, form)


@require_POST
@portal_view("school:consent:record")
def do(request: StaffRequest, class_id: int, action: str) -> HttpResponse:
    ids = _numbers(request.POST.getlist("keys"))
    found = _judged(request.actor, class_id, action, ids)[0]
    form = SlipsForm(request.POST)
    if not form.is_valid():
        return _ask(request, class_id, action, ids, form)
    said = form.cleaned_data
    try:
        count = registry.record_consent(
            request.actor,
            [each.id for each in found],
            action,
            said["notice_version"],
            "",
            said["method"],
        )
    except XuekaError as refusal:
        return _ask(request, class_id, action, ids, form, refusal)
    request.session[_VERSION] = said["notice_version"]
    left = registry.missing_consent(_students(request.actor, class_id)).count()
    words = registry.CONSENT_ACTIONS[action]
    flash(request, f"已登记{words} {count} 人；本班还有 {left} 人没有同意书。")
    return redirect("school:consent_class", class_id)


def _ask(
    request: StaffRequest,
    class_id: int,
    action: str,
    ids: list[int],
    form: forms.Form,
    problem: XuekaError | None = None,
) -> HttpResponse:
    own = places.own_class(request.actor, class_id)
    will, wont = _judged(request.actor, class_id, action, ids)
    shown = {
        "title": f"登记{registry.CONSENT_ACTIONS[action]}：{shapes.class_of(own)}",
        "will": will,
        "wont": wont,
        "why_not": "已经登记过同意" if action == "given" else "没有有效的同意，无从撤回",
        "form": form,
        "problem": problem,
        "action": action,
        "class_id": class_id,
        "button": f"登记 {len(will)} 人",
        "back": Link("返回名单", reverse("school:consent_class", args=[class_id])),
    }
    return render(request, "school/consent_ask.html", shown, status=400 if problem or form.errors else 200)


def _judged(
    actor: Actor, class_id: int, action: str, ids: Sequence[int]
) -> tuple[list[registry.Student], list[registry.Student]]:
    """Those for whom the record says something new, and those for whom it would not."""
    if action not in registry.CONSENT_ACTIONS:
        raise Http404
    found = list(_students(actor, class_id).filter(id__in=ids).order_by("sort_key", "id"))
    consented = {each.id for each in found if each.consent == "given"}  # type: ignore[attr-defined]
    wanted = action == "withdrawn"
    will = [each for each in found if (each.id in consented) == wanted]
    return will, [each for each in found if (each.id in consented) != wanted]


def _students(actor: Actor, class_id: int) -> QuerySet[registry.Student]:
    places.own_class(actor, class_id)
    return registry.consent_rows(actor.scope).filter(school_class_id=class_id)


def _filters() -> list[Filter]:
    return [
        Filter(
            "consent",
            "同意",
            lambda rows, code: (
                registry.missing_consent(rows) if code == "missing" else rows.filter(consent="given")
            ),
            [("missing", "缺同意书"), ("given", "已同意")],
            kind="tabs",
        ),
        Filter(
            "q",
            "姓名或教育ID",
            lambda rows, text: rows.filter(Q(name__startswith=text) | Q(education_id=text)),
            kind="search",
        ),
    ]


def _chosen(actor: Actor, class_id: int, selection: Selection) -> list[int]:
    if not selection.everything:
        return _numbers(selection.keys)
    rows = narrow(_students(actor, class_id), _filters(), selection.filters)
    return list(rows.order_by("id").values_list("id", flat=True))


def _numbers(keys: Sequence[str]) -> list[int]:
    if not keys or not all(key.isdecimal() for key in keys):
        raise BadInput("SELECTION_EMPTY", "没有选中任何学生。", action="请返回名单，勾选后再登记。")
    return [int(key) for key in keys]

"""Students whom the student registry no longer shows: looked into, said to be gone or still there."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.entrypoints.design import states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Confirm, Empty, Link, ObjectHead, Preview, Wont
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import Refused
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_MAY = "city:registry:import"
_CAUSES = {"deleted": "登记方已删除", "left_out": "全量中没有", "no_class": "没有在读班级"}
_VERBS = {"confirm": "确认离校", "keep": "仍在校"}
_MOST = 500

Rows = QuerySet[registry.Absence]


def _by_name(rows: Rows, text: str) -> Rows:
    return rows.filter(student__education_id=text) | rows.filter(student__name__startswith=text)


_FILTERS = [
    Filter(
        "state",
        "状态",
        lambda rows, code: rows.filter(state=code),
        [(state.code, state.label) for state in registry.ABSENCE.states],
        kind="tabs",
    ),
    Filter("q", "学生", _by_name, kind="search", placeholder="教育ID、姓名"),
    Filter("cause", "原因", lambda rows, code: rows.filter(cause=code), list(_CAUSES.items())),
    Filter("held", "须确认", lambda rows, _: rows.filter(held=True), [("1", "人数超限，须由人确认")]),
]


@require_GET
@portal_view(_MAY)
def listing(request: StaffRequest) -> HttpResponse:
    scope = request.actor.scope
    ready = registry.may_go(scope).count()
    ask = Confirm("办理离校", f"{ready} 名学生可以办。先看预览，另一人确认后才办。", "开始预览")
    shown = {
        "title": "学籍缺失",
        "head": ObjectHead(
            "学籍缺失",
            actions=[
                Action(
                    "办理离校",
                    reverse("city:absences_leave"),
                    "post",
                    "user-minus",
                    "primary",
                    confirm=ask,
                    disabled_reason="" if ready else "还没有经人确认或满期限的学生。",
                ),
                Action("学籍导入", reverse("city:imports"), icon="file-import"),
            ],
        ),
        "list": DataList(
            request,
            registry.absence_rows(scope),
            name="absences",
            caption="学籍缺失",
            columns=[
                Column("学生", lambda row: row.student.name),
                Column("学校", lambda row: row.student.school.name),
                Column(
                    "班级", lambda row: f"{row.student.school_class.grade}年级{row.student.school_class.name}"
                ),
                Column("状态", lambda row: states.badge("absence", row.state)),
                Column("原因", lambda row: _CAUSES[row.cause]),
                Column("发现", "noticed_on", sort="noticed", kind="number"),
                Column("满期限", _due, sort="due", kind="number"),
                Column("教育ID", lambda row: row.student.education_id, kind="code", minor=True),
            ],
            sorts={"noticed": ("noticed_on", "id"), "due": ("due_on", "id")},
            default_sort="-noticed",
            filters=_FILTERS,
            bulk=[
                Bulk("仍在校", reverse("city:absences_preview", args=["keep"]), icon="user-check"),
                Bulk(
                    "确认离校",
                    reverse("city:absences_preview", args=["confirm"]),
                    icon="user-x",
                    tone="primary",
                ),
            ],
            url=lambda row: shapes.student_url(row.student.education_id),
            label=lambda row: row.student.name,
            unit="人",
            empty=Empty(
                "没有缺失的学生",
                "OneRoster 数据里被删除的、全量里没有的学生会列在这里；核实以前，学生和卡都不变。",
                icon="user-check",
            ),
        ),
    }
    return render(request, "city/headed_list.html", shown)


def _due(row: registry.Absence) -> Any:
    return "须由人确认" if row.held and row.state == "missing" else row.due_on


@require_POST
@portal_view(_MAY)
def preview(request: StaffRequest, verb: str) -> HttpResponse:
    """What a bulk action would do and leave alone."""
    rows = _selected(request, verb)
    will = [row for row in rows if registry.ABSENCE.allows(verb, row.state)]
    more = len(will) - _MOST
    will = will[:_MOST]
    label = _VERBS[verb]
    words = (
        "学生和卡都不变；办理离校另行预览、另一人确认。"
        if verb == "confirm"
        else "从名单里去掉，学生和卡都不变。"
    )
    sure = Confirm(f"{label} {len(will)} 人", words, label, "required", reason_label="核实的情况")
    closed = len(rows) - len(will) - max(more, 0)
    shown = {
        "preview": Preview(
            label,
            len(will),
            words,
            Action(
                label,
                reverse("city:absences_do", args=[verb]),
                "post",
                "check",
                "primary",
                confirm=sure,
                params={"row": [str(row.pk) for row in will]},
            ),
            reverse("city:absences"),
            wont=[
                *([Wont("已经办过，或状态不合", closed)] if closed else []),
                *([Wont(f"一次最多 {_MOST} 人，请分次办理", more)] if more > 0 else []),
            ],
            examples=[
                Link(row.student.name, shapes.student_url(row.student.education_id)) for row in will[:8]
            ],
            unit="人",
        )
    }
    return render(request, "city/preview.html", shown)


@require_POST
@portal_view(_MAY)
def do(request: StaffRequest, verb: str) -> HttpResponse:
    """What the preview has shown, whole; nothing where one of them has moved on."""
    if verb not in _VERBS:
        raise Http404
    ids = [int(key) for key in request.POST.getlist("row") if key.isdecimal()]
    done = registry.decide_absences(request.actor, ids, verb, request.POST.get("note", ""))
    flash(request, f"{_VERBS[verb]}：{done} 人。")
    return redirect("city:absences")


@require_POST
@portal_view(_MAY)
def leave(request: StaffRequest) -> HttpResponse:
    """Begin the preview of what becomes of those who may go."""
    if not registry.may_go(request.actor.scope).exists():
        raise Refused("YEAR_NOTHING", "没有可以办离校的学生。", action="请先核实缺失的学生。")
    return redirect("objects:year_job", year.create_job(request.actor, "leavers", "city").number)


def _selected(request: StaffRequest, verb: str) -> list[registry.Absence]:
    if verb not in _VERBS:
        raise Http404
    selection = Selection.of(request)
    rows = registry.absence_rows(request.actor.scope)
    if selection.everything:
        return list(narrow(rows, _FILTERS, selection.filters))
    return list(rows.filter(pk__in=[int(key) for key in selection.keys if key.isdecimal()]))

"""The audit log, for the auditor: who did what to what, when; and whether the chain is whole."""

from datetime import date, datetime, time, timedelta

from django.db.models import Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.entrypoints.design import formats
from xueka.entrypoints.design.listing import Column, DataList, Filter, narrow
from xueka.entrypoints.design.ui import Action, Badge, Empty, Event, Link
from xueka.entrypoints.portals.common import deeds, details
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound
from xueka.kernel.text import parse_date
from xueka.platform.audit import chain, queries
from xueka.platform.audit.models import Entry, EntryQuerySet
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

RESULTS = {"done": Badge("完成", "ok"), "refused": Badge("被拒", "bad"), "failed": Badge("失败", "bad")}
SHOWN = 200


def _from(rows: EntryQuerySet, text: str) -> EntryQuerySet:
    day = _day(text)
    return rows.filter(at__gte=datetime.combine(day, time.min, clock.SHANGHAI)) if day else rows


def _until(rows: EntryQuerySet, text: str) -> EntryQuerySet:
    day = _day(text)
    if not day:
        return rows
    return rows.filter(at__lt=datetime.combine(day + timedelta(days=1), time.min, clock.SHANGHAI))


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except BadInput:
        return None


FILTERS = [
    Filter("person", "何人（用户名或姓名）", queries.by_person, kind="search"),
    Filter("object", "对象号", lambda found, text: found.filter(object_id=text), kind="search"),
    Filter(
        "action",
        "动作",
        lambda found, text: found.filter(Q(action__startswith=text) | Q(action__in=deeds.acts_like(text))),
        kind="search",
        placeholder="例如 挂失",
    ),
    Filter(
        "result",
        "结果",
        lambda found, text: found.filter(result=text),
        choices=[("done", "完成"), ("refused", "被拒"), ("failed", "失败")],
    ),
    Filter("since", "自", _from, kind="date"),
    Filter("until", "至", _until, kind="date"),
]


def narrowed(request: StaffRequest) -> EntryQuerySet:
    """The entries under the filters that an export posts along."""
    query = QueryDict(request.POST.get("filters", "")[:2000])
    rows: EntryQuerySet = narrow(queries.entry_rows(request.actor.scope), FILTERS, query)  # type: ignore[assignment]
    return rows


def _object(row: Entry) -> Link | str:
    if not row.object_id:
        return deeds.thing(row.object_type)
    return Link(
        f"{deeds.thing(row.object_type)} {row.object_id}",
        reverse("city:audit_object", args=[row.object_type, row.object_id]),
    )


@require_GET
@portal_view("city:audit:read")
def log(request: StaffRequest) -> HttpResponse:
    rows = DataList(
        request,
        queries.entry_rows(request.actor.scope),
        name="audit",
        caption="审计日志",
        columns=[
            Column("时间", "at", kind="number"),
            Column("何人", lambda row: deeds.person(row.actor, row.actor_name)),
            Column("动作", lambda row: deeds.act(row.action)),
            Column("对象", _object),
            Column("结果", lambda row: RESULTS.get(row.result, Badge(row.result))),
            Column("来自", "address", minor=True),
        ],
        sorts={"at": ("id",)},
        default_sort="-at",
        filters=FILTERS,
        unit="条",
        takeable=False,  # its own export is watermarked and logged
        empty=Empty("还没有记录", "系统里的每个动作都会记在这里。", icon="clipboard-list"),
    )
    url = reverse("city:audit_export")
    actions = [
        Action("导出 XLSX", url, "post", "download", params={"kind": "xlsx", "filters": rows.filter_query}),
        Action("导出 CSV", url, "post", params={"kind": "csv", "filters": rows.filter_query}),
    ]
    page = {"title": "审计日志", "sub": _chain_in_one_line(), "list": rows, "actions": actions}
    return render(request, "objects/list.html", page)


@require_GET
@portal_view("city:audit:read")
def about(request: StaffRequest, kind: str, object_id: str) -> HttpResponse:
    """Everything that was ever done to one object."""
    found = queries.entries(request.actor.scope, object_type=kind, object_id=object_id, limit=SHOWN)
    if not found:
        raise NotFound("OBJECT_NOT_FOUND", "没有这个对象的审计记录。")
    events = [
        Event(
            deeds.act(each.action),
            each.at,
            deeds.person(each.actor, each.actor_name),
            details.told(each.detail),
            "ok" if each.result == "done" else "bad",
        )
        for each in found
    ]
    page = {
        "kind": deeds.thing(kind),
        "object_id": object_id,
        "events": events,
        "count": len(found),
        "most": SHOWN,
    }
    return render(request, "city/audit_object.html", page)


def _chain_in_one_line() -> str:
    state = chain.status()
    if state.contradiction:
        return "审计链与库外的链头不一致，封存已停止：请立即通知系统管理员核查。"
    sealed = (
        f"已封存到第 {state.sealed} 环（{formats.moment(state.sealed_at)}）"
        if state.sealed_at
        else "尚未封存"
    )
    return (
        f"只能查看，任何人都不能改动。审计链{sealed}，待封存 {state.waiting} 条。"
        "成批办的事只记一条；一张卡、一份申领的每一步在它自己的页面，用上方的搜索框打开。"
    )

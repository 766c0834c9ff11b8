"""The audit log, for the auditor: who did what to what, when; and whether the chain is whole."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from xueka.entrypoints.design import formats
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Badge, Empty
from xueka.platform.audit import chain, queries
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_RESULTS = {"done": Badge("完成", "ok"), "refused": Badge("被拒", "bad"), "failed": Badge("失败", "bad")}


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
            Column("何人", lambda row: f"{row.actor_name}（{row.actor}）" if row.actor_name else row.actor),
            Column("动作", "action", kind="code"),
            Column("对象", lambda row: f"{row.object_type} {row.object_id}".strip()),
            Column("结果", lambda row: _RESULTS.get(row.result, Badge(row.result))),
            Column("来自", "address", minor=True),
        ],
        sorts={"at": ("id",)},
        default_sort="-at",
        filters=[
            Filter("actor", "用户名", lambda found, text: found.filter(actor=text), kind="search"),
            Filter(
                "action",
                "动作",
                lambda found, text: found.filter(action__startswith=text),
                kind="search",
                placeholder="例如 batch.",
            ),
            Filter("object", "对象号", lambda found, text: found.filter(object_id=text), kind="search"),
        ],
        unit="条",
        empty=Empty("还没有记录", "系统里的每个动作都会记在这里。", icon="clipboard-list"),
    )
    return render(
        request,
        "objects/list.html",
        {"title": "审计日志", "sub": _chain_in_one_line(), "list": rows},
    )


def _chain_in_one_line() -> str:
    state = chain.status()
    if state.contradiction:
        return "审计链与库外的链头不一致，封存已停止：请立即通知系统管理员核查。"
    sealed = (
        f"已封存到第 {state.sealed} 环（{formats.moment(state.sealed_at)}）"
        if state.sealed_at
        else "尚未封存"
    )
    return f"只能查看，任何人都不能改动。审计链{sealed}，待封存 {state.waiting} 条。"

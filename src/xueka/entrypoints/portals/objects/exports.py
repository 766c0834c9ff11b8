"""Personal lists under approval: asking, deciding, taking; and who has taken what."""

from collections.abc import Callable

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.reporting import api as reporting
from xueka.entrypoints.design import states
from xueka.entrypoints.design.downloads import xlsx
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Fact, Link, ObjectHead
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel.errors import NotFound, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

_MAY = ("school:export:ask", "city:export:approve", "city:export:read")


class Wish(WordedForm):
    kind = forms.ChoiceField(label="要哪份名单", choices=list(reporting.EXPORT_KINDS.items()))
    purpose = forms.CharField(
        label="用途",
        max_length=200,
        help_text="给谁用、做什么；印在每一页上。",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    in_clear = forms.BooleanField(
        label="需要完整的证件号码和电话", required=False, help_text="缺省为掩码；确有必要才选。"
    )


@require_GET
@portal_view(*_MAY)
def listing(request: StaffRequest) -> HttpResponse:
    actor = request.actor
    rows = DataList(
        request,
        reporting.export_rows(actor.scope),
        name="exports",
        caption="导出",
        columns=[
            Column("编号", "number", kind="code"),
            Column("名单", lambda each: reporting.EXPORT_KINDS[each.kind]),
            Column("用途", "purpose"),
            Column("申请人", "asked_name"),
            Column("状态", lambda each: states.badge("export", each.state)),
            Column("号码", lambda each: Badge("完整", "wait") if each.in_clear else "掩码", minor=True),
            Column("行数", "rows", kind="number", minor=True),
            Column("下载", lambda each: each.taken, kind="number"),
            Column("申请时间", "asked_at", kind="number", minor=True),
        ],
        sorts={"at": ("id",)},
        default_sort="-at",
        filters=[
            Filter(
                "state",
                "状态",
                lambda found, code: found.filter(state=code),
                [(state.code, state.label) for state in reporting.EXPORT.states],
            ),
            Filter(
                "by", "申请人", lambda found, text: found.filter(asked_name__contains=text), kind="search"
            ),
        ],
        url=lambda each: reverse("objects:export", args=[each.number]),
        label=lambda each: each.number,
        unit="项",
        empty=Empty(
            "还没有导出", "带姓名的名单经批准后才能导出；申请和下载都会列在这里。", icon="file-download"
        ),
    )
    ask = Action("申请导出", reverse("objects:export_ask"), icon="plus", tone="primary")
    shown = {
        "title": "名单导出",
        "sub": "申请、批准、限时下载，每一步都记录在案。",
        "list": rows,
        "actions": [ask] if actor.may("school:export:ask") else [],
    }
    return render(request, "objects/list.html", shown)


@require_http_methods(["GET", "POST"])
@portal_view("school:export:ask")
def ask(request: StaffRequest) -> HttpResponse:
    form, problem = Wish(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        try:
            made = reporting.ask_export(request.actor, **form.cleaned_data)
        except XuekaError as refusal:
            problem = refusal
        else:
            flash(request, f"已申请，编号 {made.number}；市级批准后可在三天内下载。")
            return redirect("objects:export", made.number)
    shown = {"form": form, "problem": problem, "back": Link("名单导出", reverse("objects:exports"))}
    return render(request, "objects/export_ask.html", shown, status=400 if problem or form.errors else 200)


@require_GET
@portal_view(*_MAY)
def one(request: StaffRequest, number: str) -> HttpResponse:
    actor = request.actor
    found = reporting.export(actor.scope, number)
    head = ObjectHead(
        reporting.EXPORT_KINDS[found.kind],
        found.number,
        "导出",
        states.badge("export", found.state),
        facts=[
            Fact("用途", found.purpose),
            Fact("申请人", f"{found.asked_name}（{found.asked_by}）"),
            Fact("申请时间", found.asked_at),
            Fact("证件号码和电话", "完整" if found.in_clear else "掩码"),
            Fact("批准人", shapes.actor_name(found.decided_by) if found.decided_by else ""),
            Fact("说明", found.note),
            Fact("行数", found.rows),
            Fact(
                "可下载到", found.expires_at, f"还可下载 {found.downloads_left} 次" if found.file_id else ""
            ),
            Fact("摘要（SM3）", found.digest),
        ],
        actions=_actions(actor, found),
    )
    names = shapes.Names()
    shown = {
        "head": head,
        "downloads": [(each.at, names[each.by], each.address) for each in reporting.downloads(found)],
        "back": Link("名单导出", reverse("objects:exports")),
    }
    return render(request, "objects/export.html", shown)


_ACTS: dict[str, Callable[..., None]] = {
    "approve": reporting.approve_export,
    "reject": reporting.reject_export,
    "withdraw": reporting.withdraw_export,
    "revoke": reporting.revoke_export,
}
_SAID = {
    "approve": "已批准，正在生成文件。",
    "reject": "已拒绝。",
    "withdraw": "已撤回。",
    "revoke": "已收回，文件已删除。",
}


@require_POST
@portal_view()
def act(request: StaffRequest, number: str, verb: str) -> HttpResponse:
    if verb not in _ACTS:
        raise NotFound("EXPORT_NOT_FOUND", "没有这项操作。")
    reason = [request.POST.get("note", "")] if verb in ("reject", "revoke") else []
    _ACTS[verb](request.actor, number, *reason)
    flash(request, _SAID[verb])
    return redirect("objects:export", number)


@require_POST
@portal_view("school:export:ask")
def take(request: StaffRequest, number: str) -> HttpResponse:
    return xlsx(*reporting.download_export(request.actor, number))


def _actions(actor: Actor, found: reporting.Export) -> list[Action]:
    mine = found.asked_by == actor.username
    actions = []

    def add(verb: str, label: str, icon: str, tone: str = "default", confirm: Confirm | None = None) -> None:
        url = reverse("objects:export_act", args=[found.number, verb])
        actions.append(Action(label, url, "post", icon, tone, confirm=confirm))

    if found.state == "ready" and mine:
        url = reverse("objects:export_take", args=[found.number])
        actions.append(Action("下载", url, "post", "download", "primary"))
    if found.state == "asked" and mine:
        add("withdraw", "撤回", "arrow-back-up")
    if actor.may("city:export:approve") and not mine and found.state == "asked":
        add("approve", "批准", "check", "primary")
        question = Confirm("不批准这项导出？", button="不批准", reason="required", reason_label="理由")
        add("reject", "不批准", "x", "danger", question)
    if actor.may("city:export:approve") and found.state == "ready":
        question = Confirm("收回并删除文件？", button="收回", reason="required", reason_label="理由")
        add("revoke", "收回", "trash", "danger", question)
    return actions

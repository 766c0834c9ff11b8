"""The officers whose accounts one keeps: who they are, who has not activated, lists, sheets, leavers."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from xueka.contexts.officers import api as officers
from xueka.entrypoints.design import downloads, nav
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection, narrow
from xueka.entrypoints.design.ui import Action, Badge, Confirm, DropZone, Empty, Fact, ObjectHead, Preview
from xueka.entrypoints.portals.objects import shapes
from xueka.entrypoints.portals.officers.work import open_work
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.identity import accounts, activation
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

SHOWN = 500


def state_of(user: User) -> Badge:
    if not user.is_active:
        return Badge("已离任", "ended")
    if not user.awaits_activation:
        return Badge("在用", "ok")
    now = clock.now()
    codes = [code for code in user.activation_codes.all() if not (code.used_at or code.void_at)]
    if not codes:
        return Badge("待打印激活单", "neutral")
    return Badge("待激活", "wait") if codes[0].expires_at > now else Badge("激活码已过期", "bad")


def _filters() -> list[Filter]:
    return [
        Filter("q", "姓名或用户名", accounts.named_like, kind="search"),
        Filter(
            "state",
            "状态",
            accounts.in_state,
            choices=[("waiting", "待激活"), ("active", "在用"), ("stopped", "已离任")],
            kind="tabs",
        ),
    ]


@require_GET
@portal_view(activation.MANAGE)
def listing(request: StaffRequest) -> HttpResponse:
    rows = DataList(
        request,
        officers.officers(request.actor.scope),
        name="officers",
        caption="卡管人员",
        columns=[
            Column("姓名", "name"),
            Column("用户名", "username", sort="username", kind="code"),
            Column("角色", shapes.roles_in_words()),
            Column("状态", state_of),
            Column("最近登录", "last_login", minor=True),
        ],
        sorts={"username": ("username",)},
        filters=_filters(),
        bulk=[Bulk("打印激活单", reverse("officers:sheets_preview"), icon="printer", tone="primary")],
        url=lambda user: reverse("officers:person", args=[user.username]),
        label=lambda user: user.name,
        key=lambda user: user.username,
        unit="人",
        empty=Empty(
            "还没有卡管人员", "导入名单后，人员会出现在这里。", Action("导入名单", reverse("officers:import"))
        ),
    )
    actions = [
        Action("导入名单", reverse("officers:import"), icon="file-import", tone="primary"),
        Action("代理与交接", reverse("officers:changes"), icon="arrows-exchange"),
    ]
    page = {"title": "卡管人员", "sub": "本级管辖的学校和区的人员。", "list": rows, "actions": actions}
    return render(request, "objects/list.html", page)


@require_http_methods(["GET", "POST"])
@portal_view(activation.MANAGE)
def bring_in(request: StaffRequest) -> HttpResponse:
    url = reverse("officers:import")
    if request.method == "POST":
        file, total = request.FILES.get("file"), request.POST.get("total", "").strip()
        if file is None:
            raise BadInput("FILE_MISSING", "没有收到文件。", action="请选择 XLSX 或 CSV 文件后再试。")
        if total and not (total.isascii() and total.isdigit() and len(total) < 8):
            raise BadInput("TOTAL_INVALID", "总行数不是整数。", found=total[:20], action="请改正或留空。")
        report = officers.import_officers(
            request.actor,
            file.read(),
            file.name or "",
            dry_run=request.POST.get("dry_run") == "1",
            expected_rows=int(total) if total else None,
        )
        return redirect("officers:import_result", report.run_id)
    names = shapes.Names()
    page = {
        "columns": shapes.columns_in_words(officers.COLUMNS),
        "tries": DropZone(
            url,
            label="把名单（XLSX 或 CSV）拖到这里",
            hint="只检查，不改数据。",
            accept=".xlsx,.csv",
            button="试算",
            params={"dry_run": "1"},
        ),
        "runs": [(run, run.report, names[run.actor]) for run in officers.lists(request.actor.scope)],
    }
    return render(request, "officers/import.html", page)


@require_GET
@portal_view(activation.MANAGE)
def form(request: StaffRequest) -> HttpResponse:
    """An empty list with the headings that are read."""
    return downloads.blank_list("卡管人员名单", [(each.header, each.required) for each in officers.COLUMNS])


@require_GET
@portal_view(activation.MANAGE)
def result(request: StaffRequest, list_id: int) -> HttpResponse:
    run = officers.officer_list(request.actor.scope, list_id)
    report = run.report
    facts = [
        Fact("文件", run.file_name),
        Fact("方式", "试算，没有改动数据" if run.dry_run else "已导入"),
        Fact("行数", report["rows"]),
        Fact("新开账号", report["created"]),
        Fact("更新", report["updated"]),
        Fact("未变", report["unchanged"]),
        Fact("退回", report["rejected"]),
        Fact("学校", report["schools"]),
        *[Fact(label, count) for label, count in report["totals"].items()],
    ]
    page = {
        "run": run,
        "facts": facts,
        "errors": report["errors"][:SHOWN],
        "warnings": report["warnings"][:SHOWN],
    }
    return render(request, "officers/import_result.html", page)


def _chosen(request: StaffRequest) -> list[str]:
    selection = Selection.of(request)
    waiting = activation.waiting(request.actor.scope)
    if selection.everything:
        rows = narrow(waiting, _filters(), selection.filters)
        return [user.username for user in rows]
    return [user.username for user in waiting.filter(username__in=list(selection.keys))]


@require_POST
@portal_view(activation.MANAGE)
def sheets_preview(request: StaffRequest) -> HttpResponse:
    chosen = _chosen(request)
    page = Preview(
        "打印激活单",
        len(chosen),
        "为待激活的人各换发一个新的激活码，只在打印页上显示这一次；以前的激活码作废",
        Action(
            "换发并打印",
            reverse("officers:sheets"),
            "post",
            "printer",
            "primary",
            params=Selection.of(request).params,
        ),
        reverse("officers:list"),
    )
    return render(request, "objects/preview.html", {"preview": page, "title": "打印激活单"})


@never_cache
@require_POST
@portal_view(activation.MANAGE)
def sheets(request: StaffRequest) -> HttpResponse:
    """The sheets, by school, to be printed, folded and sealed; the codes are nowhere else."""
    made = activation.make_sheets(request.actor, _chosen(request))
    return _print(request, made)


def _print(request: StaffRequest, made: list[activation.Sheet]) -> HttpResponse:
    shown = [(sheet, nav.scope_name(sheet.grant.scope), ROLES[sheet.grant.role].label) for sheet in made]
    address = request.build_absolute_uri(reverse("activate"))
    return render(request, "officers/sheets.html", {"sheets": shown, "address": address})


def _main_role(request: StaffRequest, found: User) -> Grant | None:
    """The role whose open work is shown: her first one of those that the actor keeps."""
    inside = request.actor.scope.filter(district="district_code", school="school_code")
    return found.grants.filter(inside, revoked_at=None, stands_in_for=None).order_by("id").first()


@require_GET
@portal_view(activation.MANAGE)
def person(request: StaffRequest, username: str) -> HttpResponse:
    found = activation.find_managed(request.actor, username)
    phone, email = officers.contact(found)
    grants = [grant for grant in found.grants.order_by("id") if grant.revoked_at is None]
    actions: list[Action] = []
    if found.is_active:
        words = "换发一个新的激活码并打印；本人用它重设密码之前不能登录。"
        kept = activation.wholly_kept(request.actor.scope).filter(pk=found.pk).exists()
        actions.append(
            Action(
                "换发激活码",
                reverse("officers:renew", args=[username]),
                "post",
                "key",
                disabled_reason="" if kept else "在您管辖之外还有角色，或已没有角色",
                confirm=Confirm("换发激活码？", words, "换发"),
            )
        )
    first = _main_role(request, found)
    page = {
        "head": ObjectHead(
            found.name,
            found.username,
            "卡管人员",
            state_of(found),
            facts=[Fact("手机", phone or "—"), Fact("邮箱", email or "—"), Fact("开立", found.created_at)],
            actions=actions,
        ),
        "person": found,
        "grants": [(grant, ROLES[grant.role].label, nav.scope_name(grant.scope)) for grant in grants],
        "colleagues": officers.colleagues(request.actor, first) if first else [],
        "work": open_work(first.scope) if first else [],
    }
    return render(request, "officers/person.html", page)


@never_cache
@require_POST
@portal_view(activation.MANAGE)
def renew(request: StaffRequest, username: str) -> HttpResponse:
    return _print(request, [activation.renew(request.actor, username)])


@require_POST
@portal_view(activation.MANAGE)
def leave(request: StaffRequest, username: str) -> HttpResponse:
    found = activation.find_managed(request.actor, username)
    grant = _main_role(request, found)
    work = open_work(grant.scope) if grant else []
    successor = request.POST.get("successor", "")
    gone = officers.leave(request.actor, username, request.POST.get("reason", ""), work, successor)
    told = "、".join(f"{each['label']} {each['count']}" for each in work) or "没有在办的事"
    flash(request, f"{gone.name}已离任，登录已全部结束。留下的工作：{told}。", "wait" if work else "ok")
    return redirect("officers:list")

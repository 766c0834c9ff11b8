"""Users, requests, lock-outs, the matrix of permissions, the notice on days off."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from xueka.contexts.officers import api as officers
from xueka.entrypoints.design import nav, states
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.listing import Column, DataList, Filter
from xueka.entrypoints.design.ui import Action, Badge, Confirm, Empty, Event, Fact, ObjectHead
from xueka.entrypoints.portals.common import deeds
from xueka.entrypoints.portals.objects import shapes
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import BadInput
from xueka.kernel.foreign import json_of
from xueka.kernel.notices import load_notice, store_notice
from xueka.platform.audit import queries as audit
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts, lockouts, registered, requests, second_factor, services
from xueka.platform.identity.models import User
from xueka.platform.identity.permission_words import words_of
from xueka.platform.identity.permissions import ROLES, STAFF_ROLES, is_city_role
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

#: Of the form that a notice has; see `xueka.kernel.notices`.
NOTICE_EXAMPLE = """{
  "year": 2026,
  "source": "国务院办公厅关于2026年部分节假日安排的通知",
  "off": [
    {"date": "2026-01-01", "name": "元旦"},
    {"from": "2026-02-15", "to": "2026-02-23", "name": "春节"}
  ],
  "make_up": ["2026-02-14", "2026-02-28"]
}"""


def state_of(user: User) -> Badge:
    if not user.is_active:
        return Badge("已停用", "ended")
    return Badge("待激活", "wait") if user.awaits_activation else Badge("在用", "ok")


@require_GET
@portal_view("city:user:read")
def users(request: StaffRequest) -> HttpResponse:
    listing = DataList(
        request,
        accounts.user_rows(),
        name="users",
        caption="使用者",
        columns=[
            Column("姓名", "name"),
            Column("用户名", "username", sort="username", kind="code"),
            Column("角色", shapes.roles_in_words()),
            Column("状态", state_of),
            Column("最近登录", "last_login", minor=True),
        ],
        sorts={"username": ("username",)},
        filters=[
            Filter("q", "姓名或用户名", accounts.named_like, kind="search"),
            Filter(
                "role",
                "角色",
                accounts.holding,
                choices=[(role.code, role.label) for role in STAFF_ROLES.values()],
            ),
            Filter(
                "state",
                "状态",
                accounts.in_state,
                choices=[
                    ("active", "在用"),
                    ("waiting", "待激活"),
                    ("stopped", "已停用"),
                    ("overdue", "密码过期"),
                ],
            ),
        ],
        url=lambda user: reverse("admin:user", args=[user.username]),
        label=lambda user: user.name,
        unit="人",
        empty=Empty("还没有使用者", "导入卡管人员名单后，使用者会出现在这里。", icon="users"),
    )
    actions = []
    if request.actor.may(services.MANAGE):
        actions.append(Action("开立市级账号", reverse("admin:new_user"), icon="user-plus", tone="primary"))
    page = {"title": "使用者", "sub": "一人一号；只停用，不删除。", "list": listing, "actions": actions}
    return render(request, "objects/list.html", page)


@never_cache
@require_http_methods(["GET", "POST"])
@portal_view("city:user:manage")
def new_user(request: StaffRequest) -> HttpResponse:
    """An account for somebody of the city, and the request for her role in one go."""
    posted = request.POST
    if request.method == "POST":
        made, password = services.add_user(
            request.actor, posted.get("username", "").strip(), posted.get("name", "")
        )
        requests.ask(request.actor, made.username, posted.get("role", ""), posted.get("reason", ""))
        return render(request, "admin/password.html", {"user": made, "password": password, "asked": True})
    roles = [role for role in ROLES.values() if is_city_role(role.code)]
    return render(request, "admin/new_user.html", {"roles": roles})


@require_GET
@portal_view("city:user:read")
def user(request: StaffRequest, username: str) -> HttpResponse:
    found = accounts.find(username)
    may = request.actor.may
    names = [name for name in (found.username, found.first_username) if name]
    entries = audit.about_user(names)
    phone, email = officers.contact(found)
    held = list(found.grants.order_by("-id"))
    page = {
        "head": ObjectHead(
            found.name,
            found.username,
            "使用者",
            state_of(found),
            facts=[
                Fact("开立", found.created_at),
                Fact("密码更换", found.password_changed_at),
                Fact("动态验证码", "已绑定" if second_factor.enrolled(found) else "未绑定"),
                Fact("手机", phone or "—"),
                Fact("邮箱", email or "—"),
            ],
            actions=_actions(request, found),
        ),
        "events": [
            Event(
                deeds.act(each.action),
                each.at,
                each.actor_name or each.actor or "本人",
                str(each.detail.get("reason", "")),
                "ok" if each.result == "done" else "bad",
            )
            for each in entries
        ],
        "grants": [
            (
                grant,
                ROLES[grant.role].label if grant.role in ROLES else grant.role,
                nav.scope_name(grant.scope),
                shapes.actor_name(grant.granted_by),
            )
            for grant in held
        ],
        "sessions": registered.of_user(username),
        "may_manage": may(services.MANAGE) and request.actor.user_id != found.pk,
        "may_end": may(registered.END),
        "person": found,
        "city_roles": [role for role in ROLES.values() if is_city_role(role.code)],
        "asked": requests.rows().filter(user=found, state="asked"),
    }
    return render(request, "admin/user.html", page)


def _actions(request: StaffRequest, found: User) -> list[Action]:
    may = request.actor.may
    own = "不能办理自己的账号" if request.actor.user_id == found.pk else ""
    made: list[Action] = []

    def add(label: str, name: str, permission: str, icon: str, body: str, **params: str) -> None:
        if may(permission):
            ask = Confirm(f"{label}？", body, label, reason="required")
            made.append(
                Action(
                    label,
                    reverse(name, args=[found.username]),
                    "post",
                    icon,
                    disabled_reason=own,
                    confirm=ask,
                    params=params,
                )
            )

    add(
        "重置密码",
        "admin:reset_password",
        services.RESET_PASSWORD,
        "key",
        "给一个新的初始密码，原来的登录立即失效。",
    )
    add(
        "重置动态验证码",
        "admin:reset_factor",
        second_factor.RESET,
        "device-mobile-off",
        "下次登录时重新绑定。",
    )
    if found.is_active:
        add("停用", "admin:active", services.MANAGE, "user-off", "立即退出，不能再登录。", active="0")
    else:
        add("恢复", "admin:active", services.MANAGE, "user-check", "可以再登录，角色照旧。", active="1")
    return made


@require_GET
@portal_view("city:user:read")
def requests_list(request: StaffRequest) -> HttpResponse:
    rows = list(requests.rows().order_by("-id")[:100])
    decide = request.actor.may("city:grant:confirm")
    shown = [
        (
            each,
            ROLES[each.role].label,
            shapes.actor_name(each.asked_by),
            shapes.actor_name(each.decided_by),
            states.badge("grant_request", each.state),
            _answers(request, each.pk, decide) if each.state == "asked" else [],
        )
        for each in rows
    ]
    return render(request, "admin/requests.html", {"rows": shown})


def _answers(request: StaffRequest, pk: int, decide: bool) -> list[Action]:
    def act(label: str, verb: str, tone: str, reason: str) -> Action:
        ask = Confirm(f"{label}？", "", label, reason=reason)
        return Action(label, reverse("admin:request_act", args=[pk, verb]), "post", tone=tone, confirm=ask)

    if decide:
        return [act("确认授予", "confirm", "primary", "none"), act("退回", "refuse", "default", "required")]
    return [act("撤回", "withdraw", "default", "none")] if request.actor.may(services.MANAGE) else []


@require_GET
@portal_view("city:lockout:release")
def lockouts_list(request: StaffRequest) -> HttpResponse:
    rows = [
        (
            each,
            Action(
                "解除",
                reverse("admin:release", args=[each.id]),
                "post",
                confirm=Confirm("解除锁定？", "请先核实是本人。", "解除", reason="required"),
            ),
        )
        for each in lockouts.locked_now()
    ]
    return render(request, "admin/lockouts.html", {"rows": rows})


@require_GET
@portal_view("city:policy:read")
def matrix(request: StaffRequest) -> HttpResponse:
    """Who may do what, printed from the roles themselves."""
    roles = [role for role in ROLES.values() if role.code != "system"]
    permissions = sorted({permission for role in roles for permission in role.permissions})
    rows = [(words_of(name), name, [name in role.permissions for role in roles]) for name in permissions]
    return render(request, "admin/matrix.html", {"roles": roles, "rows": rows})


@require_http_methods(["GET", "POST"])
@portal_view("city:calendar:load")
def calendar(request: StaffRequest) -> HttpResponse:
    """The State Council's notice of a year, as data."""
    if request.method == "POST":
        file = request.FILES.get("file")
        try:
            data = json_of(file.read(200_000)) if file else None
        except ValueError:
            raise BadInput(
                "CALENDAR_NOTICE_INVALID",
                "这不是放假安排的数据文件。",
                expected="一个 JSON 文件，格式见“放假安排”页上的例子",
                action="请核对文件后再载入；没有改动。",
            ) from None
        notice = load_notice(data)
        record(request.actor, "calendar.load", "calendar", notice.year, detail={"off": len(notice.off)})
        store_notice(notice)
        words = (
            f"已载入 {notice.year} 年放假安排：放假 {len(notice.off)} 天，调休上班 {len(notice.make_up)} 天。"
        )
        flash(request, words + "".join(notice.warnings), "wait" if notice.warnings else "ok")
        return redirect("admin:calendar")
    present = Calendar.default()
    page = {
        "example": NOTICE_EXAMPLE,
        "missing": present.missing_next_year(clock.today()),
        "years": sorted(present.years),
    }
    return render(request, "admin/calendar.html", page)

"""What waits for the administrators today."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.officers import api as officers
from xueka.contexts.reporting import api as reporting
from xueka.entrypoints.design.ui import Action, Tile
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.platform.identity import accounts, activation, lockouts, requests, services
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view


@require_GET
@portal_view("city:user:read")
def home(request: StaffRequest) -> HttpResponse:
    scope, may = request.actor.scope, request.actor.may
    today = clock.today()
    asked = len(requests.waiting())
    waiting = activation.waiting(scope).count()
    locked = len(lockouts.locked_now())
    due = officers.hand_overs_due(scope, today + timedelta(days=14))
    overdue = accounts.passwords_overdue()
    left = accounts.sessions_of_leavers()
    exports = reporting.waiting_exports(scope)
    missing = Calendar.default().missing_next_year(today)
    people = reverse("admin:users")
    tiles = [
        _tile(
            "授权申请",
            asked,
            "市级角色，等第二人确认",
            "去处理",
            reverse("admin:requests"),
            "user-check",
            "份",
        ),
        _tile(
            "待激活",
            waiting,
            "名单已导入，本人还没有激活",
            "看名单" if may("district:officer:manage") else "看使用者",
            f"{reverse('officers:list') if may('district:officer:manage') else people}?state=waiting",
            "mail-opened",
            "人",
        ),
        _tile(
            "登录锁定",
            locked,
            "连续 5 次不对，15 分钟后自动解除",
            "去看",
            reverse("admin:lockouts") if may("city:lockout:release") else "",
            "lock",
            "个",
        ),
        _tile("离任未退出", left, "账号已停用而登录还在", "去看", f"{people}?state=stopped", "logout", "处"),
        _tile(
            "交接在即",
            due,
            "两周内要交接，双方还没都确认",
            "去看",
            reverse("officers:hand_overs") if may("district:officer:manage") else "",
            "arrows-exchange",
            "份",
        ),
        _tile(
            "密码过期", overdue, "市级账号满 180 天没有换密码", "去看", f"{people}?state=overdue", "key", "人"
        ),
    ]
    if may("city:export:approve"):
        url = f"{reverse('objects:exports')}?state=asked"
        tiles.insert(1, _tile("待批导出", exports, "名单导出的申请", "去批准", url, "file-download", "份"))
    if missing and may("city:calendar:load"):
        words = "国务院办公厅放假安排尚未载入，跨年的期限算不出"
        tiles.append(
            Tile(
                f"{missing} 年放假安排",
                1,
                words,
                Action("去载入", reverse("admin:calendar")),
                "wait",
                "calendar",
                "份",
            )
        )
    new = Action("开立市级账号", reverse("admin:new_user"), icon="user-plus", tone="primary")
    page = {"tiles": tiles, "actions": [new] if may(services.MANAGE) else []}
    return render(request, "admin/home.html", page)


def _tile(label: str, number: int, words: str, button: str, url: str, icon: str, unit: str) -> Tile:
    return Tile(
        label, number, words, Action(button, url) if url else None, "wait" if number else "ok", icon, unit
    )

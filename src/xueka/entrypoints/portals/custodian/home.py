"""What waits for the custodians today, and the key tree."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.ui import Action, Badge, Empty, LongWork, Tile
from xueka.entrypoints.portals.custodian import looks
from xueka.entrypoints.portals.custodian.changes import row_of
from xueka.entrypoints.portals.custodian.nav import READ
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

DAYS = 30


@require_GET
@portal_view(READ)
def home(request: StaffRequest) -> HttpResponse:
    scope, me = request.actor.scope, request.actor.username
    found = list(keys.keys(scope))
    waiting = list(keys.waiting(scope)[:20])
    last = keys.ceremonies(scope).first()
    new = Action("登记密钥", reverse("custodian:new"), icon="plus", tone="primary")
    shown = {
        "actions": [new] if request.actor.may("city:key:ask") else [],
        "tiles": _tiles(request, found, waiting),
        "tree": looks.tree(found, keys.uses_by_version(scope)),
        "legend": [
            Badge(f"{short}：{state.label}", looks.states.badge("key_version", state.code).tone)
            for state in keys.KEY_VERSION.states
            if (short := looks.SHORT[state.code])
        ],
        "waiting": [row_of(each, me) for each in waiting],
        "nothing": Empty("没有待确认的变更", "一人申请、另一人确认的变更会出现在这里。", icon="checks"),
        "rewraps": [
            LongWork(
                f"{task.source.key.title}轮换后的重新加密", task.total - left, task.total, "", unit="个密钥"
            )
            for task, left in keys.rewraps(scope)
        ]
        + _fields(scope),
        "days": [
            (formats.short_day(day).split(" ")[0], uses, cards)
            for day, (uses, cards) in keys.uses_by_day(scope, DAYS).items()
        ],
        "used": any(uses for uses, _ in keys.uses_by_day(scope, DAYS).values()),
        "last": last,
        "no_keys": Empty(
            "还没有密钥",
            "由密钥管理员写好仪式文件，经复核后，几位保管人到场，在服务器上运行 xueka keys ceremony 文件名。",
            icon="key",
        ),
    }
    return render(request, "custodian/home.html", shown)


def _fields(scope: Scope) -> list[LongWork]:
    """Personal data on their way to a new version of the field key."""
    task = keys.field_rotation(scope)
    if task is None:
        return []
    label = f"字段加密密钥第 {task.number} 版：重新加密个人信息"
    return [LongWork(label, min(task.done, task.total), task.total, "", unit="条")]


def _tiles(request: StaffRequest, found: list[keys.Key], waiting: list[keys.KeyChange]) -> list[Tile]:
    me = request.actor.username
    mine = sum(each.asked_by != me for each in waiting)
    silent = [
        key
        for key in found
        if key.held and key.versions.all() and not any(each.state == "active" for each in key.versions.all())
    ]
    asleep = sum(each.state == "pre_active" for key in found for each in key.versions.all())
    closed = keys.closed_stores(found)
    scope, parts = request.actor.scope, keys.parts_of(request.actor.scope, me)
    late = keys.late_deliveries(keys.deliveries(scope)).count()
    return [
        Tile(
            "待您录入分量",
            len(parts),
            "在您自己的账号上录入，别人看不到",
            Action("去录入", reverse("custodian:part", args=[parts[0].number])) if parts else None,
            "wait" if parts else "ok",
            "puzzle",
            "项",
        ),
        Tile(
            "逾期未到的交付",
            late,
            "按计划应已到达的密钥版本",
            Action("去看", f"{reverse('custodian:deliveries')}?state=late") if late else None,
            "bad" if late else "ok",
            "truck-delivery",
            "项",
        ),
        Tile(
            "待您确认",
            mine,
            "别人申请、等第二人确认的变更",
            Action("去确认", f"{reverse('custodian:changes')}?state=asked"),
            "wait" if mine else "ok",
            "user-check",
            "项",
        ),
        Tile(
            "没有版本在用",
            len(silent),
            "有版本而没有一个在用的密钥，用到它的卡制不成",
            Action("去看", f"{reverse('custodian:keys')}?state=silent") if silent else None,
            "bad" if silent else "ok",
            "key-off",
            "个",
        ),
        Tile(
            "待启用的版本",
            asleep,
            "已生成或导入，还没有启用",
            Action("去看", f"{reverse('custodian:keys')}?state=pre_active") if asleep else None,
            "wait" if asleep else "ok",
            "clock",
            "个",
        ),
        Tile(
            "未打开的密钥库",
            len(closed),
            "机器重启后由保管人用 xueka keys open 打开，打开前不能制卡",
            None,
            "bad" if closed else "ok",
            "lock",
            "个",
        ),
    ]

"""What the counter operator sees beside every page."""

from collections.abc import Sequence

from django.urls import reverse

from xueka.contexts.printing import api as printing
from xueka.entrypoints.design import states
from xueka.entrypoints.design.nav import NavGroup, NavItem, Notice, Portal, register
from xueka.entrypoints.portals.counter import desk, parcels
from xueka.entrypoints.portals.objects.nav import late_replacements
from xueka.kernel import clock
from xueka.platform.identity.sessions import StaffRequest

states.register(
    printing.PRINT_JOB,
    {
        "queued": "neutral",
        "sent": "progress",
        "printing": "progress",
        "printed": "ok",
        "failed": "bad",
        "unknown": "wait",
        "cancelled": "ended",
    },
)


def _waiting(request: StaffRequest) -> int:
    return desk.queue(request.actor.scope).count()


def _to_post(request: StaffRequest) -> int:
    return parcels.waiting(request.actor.scope)


def notices(request: StaffRequest) -> Sequence[Notice]:
    """Consumables that are about to run out, and prints that somebody has to look at."""
    scope = request.actor.scope
    sorts = printing.supply_sorts()
    low = [
        Notice(
            f"{each.printer.name}：{sorts[each.sort].label}只剩 {each.left} {sorts[each.sort].unit}",
            reverse("counter:printer", args=[each.printer_id]),
            clock.now(),
            "bad",
        )
        for each in printing.running_low(scope)[:5]
        if each.sort in sorts
    ]
    unsettled = [
        Notice(
            f"{each.card.student.name}的卡打印结果不明，请看卡",
            reverse("counter:card", args=[each.card.number]),
            each.state_at,
        )
        for each in printing.jobs(scope).filter(state="unknown")[:5]
    ]
    return [*unsettled, *late_replacements(scope), *low]


register(
    Portal(
        "counter",
        "柜台",
        "counter:home",
        frozenset({"counter_operator", "city_counter_operator"}),
        [
            NavGroup(
                "办理",
                [
                    NavItem("即时制卡", "counter:home", "id", "district:card:issue", _waiting),
                    NavItem("已受理", "counter:accepted", "checks", "district:application:to_counter"),
                    NavItem("邮寄到家", "counter:parcels", "mail", "district:replacement:post", _to_post),
                    NavItem("空白卡", "counter:blanks", "credit-card", "district:card:issue"),
                    NavItem("打印机", "counter:printers", "printer", "district:printer:manage"),
                ],
            ),
            NavGroup(
                "查询",
                [
                    NavItem("申领记录", "objects:applications", "file-check", "school:application:read"),
                    NavItem("补卡换卡", "objects:replacements", "refresh", "school:replacement:read"),
                    NavItem("学生", "objects:students", "users", "school:student:read"),
                    NavItem("学生卡", "objects:cards", "id-badge-2", "school:card:read"),
                    NavItem("公交有效期", "objects:transit", "bus", "school:transit:read"),
                    NavItem("民生卡权益", "objects:entitlements", "gift", "school:welfare:read"),
                ],
            ),
        ],
        notices,
    )
)

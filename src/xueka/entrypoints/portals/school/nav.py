"""What the school officer and the school reviewer see beside every page."""

from collections.abc import Sequence

from django.urls import reverse

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design import formats
from xueka.entrypoints.design.nav import NavGroup, NavItem, Notice, Portal, register
from xueka.entrypoints.portals.objects import review, shapes, transfer_rows
from xueka.entrypoints.portals.objects.nav import late_replacements, open_blocks, refused_bindings
from xueka.platform.identity.sessions import StaffRequest


def _returned(request: StaffRequest) -> int:
    return cards.application_counts(request.actor.scope, states=["returned"]).get("returned", 0)


def _on_the_way(request: StaffRequest) -> int:
    return logistics.counts(request.actor.scope).boxes_in_transit


def _to_hand_out(request: StaffRequest) -> int:
    return cards.card_counts(request.actor.scope, states=["at_school"]).get("at_school", 0)


def _transfers(request: StaffRequest) -> int:
    return registry.transfer_rows(request.actor.scope).filter(state="open").count()


def notices(request: StaffRequest) -> Sequence[Notice]:
    """What the district said, what came back for correction, boxes on the way."""
    scope = request.actor.scope
    boxes = [
        Notice(
            f"卡箱 {box.number} 在路上，{shapes.expected(box.delivery.expected_on)}",
            reverse("objects:box", args=[box.number]),
            box.delivery.dispatched_at,
            "progress",
        )
        for box in logistics.boxes(scope, states=("in_transit",), limit=5)
    ]
    returned = [
        Notice(
            f"{each.account.student.name}的申领被退回：{shapes.reason(each)}",
            shapes.application_url(each.number),
            each.updated_at,
            "bad",
        )
        for each in cards.applications(scope, states=("returned",), limit=5)
    ]
    reminded = [
        Notice(
            f"{each.school.district.name}提醒：{each.text}，{formats.short_day(each.due_on)}前办完",
            reverse("school:home"),
            each.sent_at,
        )
        for each in cards.reminders(scope).values()
    ]
    return [*reminded, *returned, *transfer_rows.overdue(scope, "school"), *late_replacements(scope), *boxes]


_LOOK_UP = NavGroup(
    "查询",
    [
        NavItem("申领记录", "objects:applications", "file-check", "school:application:read"),
        NavItem("学生", "objects:students", "users", "school:student:read"),
        NavItem("学生卡", "objects:cards", "id", "school:card:read"),
        NavItem("公交有效期", "objects:transit", "bus", "school:transit:read"),
        NavItem("民生卡权益", "objects:entitlements", "gift", "school:welfare:read"),
        NavItem("公交实名", "objects:bindings", "user-check", "school:transit:manage", refused_bindings),
        NavItem("公交停用", "objects:transit_blocks", "ban", "school:transit:manage", open_blocks),
        NavItem("公交延期", "objects:transit_extend", "calendar-plus", "school:transit:extend"),
        NavItem("统计", "objects:statistics", "chart-bar", "school:statistics:read"),
        NavItem("名单导出", "objects:exports", "file-download", "school:export:ask"),
        NavItem("补卡换卡", "objects:replacements", "refresh", "school:replacement:read"),
        NavItem("配送", "objects:deliveries", "truck-delivery", "school:delivery:read"),
        NavItem("代理与交接", "officers:changes", "arrows-exchange", "school:officer:substitute"),
    ],
)

register(
    Portal(
        "school",
        "学校",
        "school:home",
        frozenset({"school_officer"}),
        [
            NavGroup("", [NavItem("今天", "school:home", "home")]),
            NavGroup(
                "办理",
                [
                    NavItem("申领", "school:apply", "send", "school:application:submit"),
                    NavItem(
                        "被退回", "school:returned", "arrow-back-up", "school:application:submit", _returned
                    ),
                    NavItem("收货", "school:receive", "package", "school:delivery:receive", _on_the_way),
                    NavItem("发放", "school:hand_out", "hand-grab", "school:card:hand_out", _to_hand_out),
                    NavItem("同意书", "school:consents", "file-certificate", "school:consent:record"),
                    NavItem("挂失补换", "school:lost", "lock", "school:card:report_lost"),
                    NavItem("转学", "school:transfers", "transfer", "school:transfer:confirm", _transfers),
                    NavItem("学年", "school:year", "calendar-event", "school:year:manage"),
                ],
            ),
            _LOOK_UP,
        ],
        notices,
    )
)
register(
    Portal(
        "school_review",
        "学校审核",
        "objects:review",
        frozenset({"school_reviewer"}),
        [
            NavGroup(
                "办理",
                [NavItem("审核", "objects:review", "checks", "school:application:review", review.waiting)],
            ),
            _LOOK_UP,
        ],
    )
)

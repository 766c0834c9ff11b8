"""What the district officer sees beside every page."""

from collections.abc import Sequence

from django.urls import reverse

from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.entrypoints.design.nav import NavGroup, NavItem, Notice, Portal, register
from xueka.entrypoints.portals.objects import review, transfer_rows
from xueka.entrypoints.portals.objects.nav import late_replacements
from xueka.platform.identity.sessions import StaffRequest


def _transfers(request: StaffRequest) -> int:
    return registry.transfer_rows(request.actor.scope).filter(state="open").count()


def notices(request: StaffRequest) -> Sequence[Notice]:
    """The schools that have waited longest, and transfers that are due."""
    found = cards.waiting_by_school(request.actor.scope, "district_review")[:5]
    waiting = [
        Notice(
            f"{each.school_name}有 {each.clean + each.doubtful} 份申领待审",
            reverse("objects:review_school", args=[each.school_code]),
            each.oldest,
        )
        for each in found
    ]
    return [
        *waiting,
        *transfer_rows.overdue(request.actor.scope, "district"),
        *late_replacements(request.actor.scope),
    ]


register(
    Portal(
        "district",
        "区",
        "district:home",
        frozenset({"district_officer"}),
        [
            NavGroup("", [NavItem("今天", "district:home", "home")]),
            NavGroup(
                "办理",
                [
                    NavItem(
                        "审核", "objects:review", "checks", "district:application:review", review.waiting
                    ),
                    NavItem(
                        "转学", "district:transfers", "transfer", "district:transfer:confirm", _transfers
                    ),
                    NavItem("学年", "district:year", "calendar-event", "district:year:manage"),
                    NavItem("进度", "district:progress", "chart-bar", "school:application:read"),
                    NavItem("卡管人员", "officers:list", "address-book", "district:officer:manage"),
                ],
            ),
            NavGroup(
                "查询",
                [
                    NavItem("申领记录", "objects:applications", "file-check", "school:application:read"),
                    NavItem("学生", "objects:students", "users", "school:student:read"),
                    NavItem("同意书", "objects:consents", "file-certificate", "school:student:read"),
                    NavItem("学生卡", "objects:cards", "id", "school:card:read"),
                    NavItem("公交有效期", "objects:transit", "bus", "school:transit:read"),
                    NavItem("民生卡权益", "objects:entitlements", "gift", "school:welfare:read"),
                    NavItem("统计", "objects:statistics", "chart-bar", "school:statistics:read"),
                    NavItem("名单导出", "objects:exports", "file-download", "school:export:ask"),
                    NavItem("补卡换卡", "objects:replacements", "refresh", "school:replacement:read"),
                    NavItem("配送", "objects:deliveries", "truck-delivery", "school:delivery:read"),
                ],
            ),
        ],
        notices,
    )
)

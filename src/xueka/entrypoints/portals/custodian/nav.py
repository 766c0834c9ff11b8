"""What the key administrator and the custodians see beside their pages."""

from collections.abc import Iterator

from django.urls import reverse

from xueka.contexts.keys import api as keys
from xueka.entrypoints.design import states
from xueka.entrypoints.design.nav import Hit, NavGroup, NavItem, Notice, Portal, register, register_search
from xueka.platform.identity.sessions import StaffRequest

READ = "city:key:read"

states.register(
    keys.KEY_VERSION,
    {"pre_active": "neutral", "active": "ok", "verify_only": "wait", "retired": "stop", "destroyed": "ended"},
)
states.register(
    keys.KEY_DELIVERY,
    {"planned": "neutral", "sent": "progress", "arrived": "ok", "lost": "bad", "cancelled": "ended"},
)
states.register(keys.KEY_CHANGE, {"asked": "wait", "done": "ok", "refused": "bad", "withdrawn": "ended"})


def _waiting(request: StaffRequest) -> int:
    return keys.waiting(request.actor.scope).count()


def _late(request: StaffRequest) -> int:
    return keys.late_deliveries(keys.deliveries(request.actor.scope)).count()


def search(request: StaffRequest, query: str) -> Iterator[Hit]:
    """A key by the beginning of its name."""
    if not request.actor.may(READ):
        return
    for found in keys.keys(request.actor.scope).filter(label__startswith=query.lower())[:5]:
        url = reverse("custodian:key", args=[found.label])
        yield Hit("密钥", found.label, url, found.title, found.label == query)


def notices(request: StaffRequest) -> list[Notice]:
    """What waits for a second person, or for this one's component."""
    me = request.actor
    parts = [
        Notice(f"{each.label} 等您录入分量", reverse("custodian:part", args=[each.number]), each.asked_at)
        for each in keys.parts_of(me.scope, me.username)[:5]
    ]
    return parts + [
        Notice(
            f"{each.label} 的变更等第二人确认", reverse("custodian:change", args=[each.number]), each.asked_at
        )
        for each in keys.waiting(request.actor.scope)[:5]
        if each.asked_by != request.actor.username
    ]


register_search(search)
register(
    Portal(
        "custodian",
        "密钥管理",
        "custodian:home",
        frozenset({"key_admin", "key_custodian"}),
        [
            NavGroup("", [NavItem("今天", "custodian:home", "home")]),
            NavGroup(
                "密钥",
                [
                    NavItem("密钥台账", "custodian:keys", "key", READ),
                    NavItem("变更", "custodian:changes", "user-check", READ, _waiting),
                    NavItem("交付计划", "custodian:deliveries", "truck-delivery", READ, _late),
                    NavItem("仪式", "custodian:ceremonies", "users-group", READ),
                    NavItem("使用记录", "custodian:uses", "history", READ),
                ],
            ),
        ],
        notices,
    )
)

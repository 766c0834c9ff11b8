"""What the system administrator and the security administrator see beside their pages."""

from collections.abc import Iterator

from django.urls import reverse

from xueka.entrypoints.design import states
from xueka.entrypoints.design.nav import Hit, NavGroup, NavItem, Portal, register, register_search
from xueka.platform.identity import accounts, lockouts, requests
from xueka.platform.identity.machines import GRANT_REQUEST
from xueka.platform.identity.sessions import StaffRequest

states.register(GRANT_REQUEST, {"asked": "wait", "confirmed": "ok", "refused": "bad", "withdrawn": "ended"})


def _requests(request: StaffRequest) -> int:
    return requests.rows().filter(state="asked").count()


def _lockouts(request: StaffRequest) -> int:
    return len(lockouts.locked_now())


def search(request: StaffRequest, query: str) -> Iterator[Hit]:
    """A person who has an account, by name or user name."""
    if not request.actor.may("city:user:read"):
        return
    for found in accounts.users(request.actor.scope, search=query, limit=5):
        url = reverse("admin:user", args=[found.username])
        yield Hit("使用者", found.name, url, found.username, found.username == query)


register_search(search)
register(
    Portal(
        "admin",
        "系统与安全管理",
        "admin:home",
        frozenset({"city_admin", "security_admin"}),
        [
            NavGroup("", [NavItem("今天", "admin:home", "home")]),
            NavGroup(
                "账号",
                [
                    NavItem("使用者", "admin:users", "users", "city:user:read"),
                    NavItem("授权申请", "admin:requests", "user-check", "city:user:read", _requests),
                    NavItem("登录锁定", "admin:lockouts", "lock", "city:lockout:release", _lockouts),
                    NavItem("卡管人员", "officers:list", "address-book", "district:officer:manage"),
                ],
            ),
            NavGroup(
                "设置",
                [
                    NavItem("卡种", "city:kinds", "id-badge-2", "city:kind:manage"),
                    NavItem("权限一览", "admin:matrix", "table", "city:policy:read"),
                    NavItem("放假安排", "admin:calendar", "calendar", "city:calendar:load"),
                    NavItem("备份", "city:backups", "database", "city:backup:read"),
                    NavItem("名单导出", "objects:exports", "file-download", "city:export:approve"),
                ],
            ),
            NavGroup(
                "查询",
                [
                    NavItem("制卡批次", "city:batches", "stack-2", "city:batch:read"),
                    NavItem("学生卡", "objects:cards", "id", "school:card:read"),
                ],
            ),
        ],
    )
)

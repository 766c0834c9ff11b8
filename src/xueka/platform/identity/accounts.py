"""Reading users, their roles, and who they are when they act."""

import getpass
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, StaffSession, User
from xueka.platform.identity.passwords import CITY_ROLES_RENEW_AFTER
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope


def open_grants(user: User) -> list[Grant]:
    """What the user may act as today, oldest first. Roles that this version no longer knows do not count."""
    now = clock.now()
    found = user.grants.filter(
        Q(begins_at=None) | Q(begins_at__lte=now), Q(ends_at=None) | Q(ends_at__gt=now), revoked_at=None
    )
    return [grant for grant in found.order_by("id") if grant.role in ROLES]


def as_actor(user: User, grant: Grant, address: str = "") -> Actor:
    """The user in one of her roles."""
    return Actor.in_role(user.username, user.name, grant.role, grant.scope, user_id=user.pk, address=address)


def actors_of(user: User) -> list[Actor]:
    """The user in each of her roles."""
    return [as_actor(user, grant) for grant in open_grants(user)]


def actor_for(name: str) -> Actor:
    """Whom `--as USER` or `--as USER:ROLE` names on the command line; without a role the user's first one.

    The address says who really typed: `cli:` and the name of the operating-system user.

    Raises NotFound `USER_NOT_FOUND`, Refused `USER_INACTIVE` or `USER_WITHOUT_ROLE`.
    """
    username, _, role = name.partition(":")
    user = find(username)
    if not user.is_active:
        raise Refused(
            "USER_INACTIVE", f"用户 {username} 已停用，不能办理业务。", action="请换一个在用的账号。"
        )
    grants = [grant for grant in open_grants(user) if role in ("", grant.role)]
    if not grants:
        raise Refused(
            "USER_WITHOUT_ROLE",
            f"用户 {username} 没有{f'角色 {role}' if role else '任何有效的角色'}。",
            found="、".join(actor.role for actor in actors_of(user)) or None,
            action="请由系统管理员授予角色。",
        )
    return as_actor(user, grants[0], f"cli:{getpass.getuser()}")


def find(username: str) -> User:
    """The user of that name. Raises NotFound `USER_NOT_FOUND`."""
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        raise NotFound("USER_NOT_FOUND", f"没有用户 {username}。", action="请核对用户名。") from None


def names_of(usernames: Iterable[str]) -> dict[str, str]:
    """The names of the people behind user names; processes and strangers are left out."""
    return dict(User.objects.filter(username__in=set(usernames)).values_list("username", "name"))


def grants_at(school: str) -> list[Grant]:
    """The roles that people hold in one school (code) today, each with its user, oldest first."""
    found = Grant.objects.filter(level="school", school_code=school, revoked_at=None)
    return list(found.select_related("user").order_by("id"))


def users(scope: Scope, *, search: str = "", after: str = "", limit: int = 50) -> list[User]:
    """Users who hold or held a role inside `scope`, with their grants; paged by the last user name seen."""
    inside = Grant.objects.filter(scope.filter(district="district_code", school="school_code"))
    found = User.objects.filter(username__gt=after).prefetch_related("grants")
    if scope.level not in ("system", "city"):
        found = found.filter(pk__in=inside.values("user"))
    if search:
        found = found.filter(username__startswith=search) | found.filter(name__contains=search)
    return list(found.order_by("username")[:limit])


def password_due(user: User, grants: list[Grant]) -> bool:
    """Whether the user must choose a new password before doing anything else."""
    if user.must_change_password:
        return True
    in_the_city = any(ROLES[grant.role].level == "city" for grant in grants)
    return in_the_city and clock.now() - user.password_changed_at >= CITY_ROLES_RENEW_AFTER


# --- for the pages of the administrators ---


def user_rows() -> QuerySet[User]:
    """All users, with their grants, for a list that orders and narrows them itself."""
    return User.objects.prefetch_related("grants")


def named_like(rows: QuerySet[User], text: str) -> QuerySet[User]:
    return rows.filter(Q(username__startswith=text.lower()) | Q(name__contains=text))


def holding(rows: QuerySet[User], role: str) -> QuerySet[User]:
    return rows.filter(pk__in=Grant.objects.filter(role=role, revoked_at=None).values("user"))


def in_state(rows: QuerySet[User], state: str) -> QuerySet[User]:
    """active, waiting (for activation), stopped, overdue (a city role whose password is too old)."""
    if state == "overdue":
        old = clock.now() - CITY_ROLES_RENEW_AFTER
        city = Grant.objects.filter(level="city", revoked_at=None)
        return rows.filter(is_active=True, password_changed_at__lte=old, pk__in=city.values("user"))
    if state == "stopped":
        return rows.filter(is_active=False)
    return rows.filter(is_active=True, awaits_activation=state == "waiting")


def passwords_overdue() -> int:
    return in_state(User.objects.all(), "overdue").count()


def sessions_of_leavers() -> int:
    """Sessions still on record of people who are stopped or have no role any more."""
    open_ones = StaffSession.objects.filter(ended_at=None)
    held = Grant.objects.filter(revoked_at=None)
    return open_ones.filter(Q(user__is_active=False) | ~Q(user__in=held.values("user"))).count()

"""Writing users and grants. The caller's edge commits."""

import re
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Q

from xueka.kernel import clock
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import locked_user, not_both, not_oneself
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.passwords import initial_password
from xueka.platform.identity.permissions import ROLES, SEPARATED, STAFF_ROLES, is_city_role
from xueka.platform.identity.registered import end_all
from xueka.platform.identity.scope import Scope

MANAGE = "city:user:manage"
RESET_PASSWORD = "city:password:reset"  # noqa: S105
USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,31}")


def create_user(
    actor: Actor, username: str, name: str, role: str, *, district: str = "", school: str = ""
) -> tuple[User, str]:
    """A user with one role, and the initial password, which is nowhere kept in clear and must be changed.

    A role of the city is granted at once by the system itself and the command line alone; a person makes
    the account with `add_user` and asks for the role (`requests.ask`).

    Raises BadInput `USERNAME_FORMAT`, `NAME_EMPTY`, `ROLE_UNKNOWN`, `SCOPE_MISMATCH`;
    Conflict `USERNAME_TAKEN`; Refused `SECOND_PERSON_NEEDED`.
    """
    actor.require(MANAGE)
    scope = scope_of(role, district, school)
    _second_person(actor, role)
    user, password = add_user(actor, username, name)
    open_grant(actor, user, role, scope)
    return user, password


def add_user(actor: Actor, username: str, name: str) -> tuple[User, str]:
    """A user without any role yet. Raises as `create_user`."""
    actor.require(MANAGE)
    user = new_user(username, name, must_change_password=True)
    password = initial_password()
    user.set_password(password)
    user.save(force_insert=True)
    record(actor, "user.create", "user", username, detail={"name": user.name})
    return user, password


def new_user(username: str, name: str, *, must_change_password: bool = False) -> User:
    """A user who is not stored yet. Raises as `create_user`."""
    check_username(username)
    name = name.strip()
    if not name:
        raise BadInput("NAME_EMPTY", "姓名不能为空。", action="请填写使用者本人的姓名，账号不得共用。")
    now = clock.now()
    return User(
        username=username,
        name=name,
        created_at=now,
        password_changed_at=now,
        must_change_password=must_change_password,
    )


def check_username(username: str) -> None:
    """Raises BadInput `USERNAME_FORMAT`, Conflict `USERNAME_TAKEN`."""
    if not USERNAME.fullmatch(username):
        raise BadInput(
            "USERNAME_FORMAT",
            "用户名格式不对。",
            found=username,
            expected="3–32 个字符：小写字母开头，可含小写字母、数字、点、连字符和下划线",
        )
    # The records of whoever chose another name still call her by the first one.
    if User.objects.filter(Q(username=username) | Q(first_username=username)).exists():
        raise Conflict("USERNAME_TAKEN", f"用户名 {username} 已被使用。", action="请换一个用户名。")


def grant(actor: Actor, username: str, role: str, *, district: str = "", school: str = "") -> Grant:
    """Give the user a role in a scope; again is no change.

    Raises BadInput `ROLE_UNKNOWN`, `SCOPE_MISMATCH`; Refused `OWN_ROLES`, `DUTIES_SEPARATED`,
    `SECOND_PERSON_NEEDED`; NotFound.
    """
    actor.require(MANAGE)
    scope = scope_of(role, district, school)
    user = locked_user(username)
    not_oneself(actor, user)
    duties_allow(user, role, scope)
    _second_person(actor, role)
    return open_grant(actor, user, role, scope)


def revoke(actor: Actor, username: str, grant_id: int, reason: str = "") -> None:
    """End one of the user's roles from now on; whoever acts in it is logged out at the next request."""
    actor.require(MANAGE)
    user = locked_user(username)
    not_oneself(actor, user)
    found = user.grants.filter(pk=grant_id, revoked_at=None).first()
    if found is None:
        raise NotFound("GRANT_NOT_FOUND", "没有这项授权，或它已被收回。", action="请刷新页面后再试。")
    close_grant(actor, found, reason)


def deactivate(actor: Actor, username: str, reason: str = "") -> User:
    """The user can do nothing any more; open sessions end at the next request. Nobody is ever deleted."""
    return _set_active(actor, username, False, reason)


def reactivate(actor: Actor, username: str, reason: str = "") -> User:
    """The user may log in again, with the roles not revoked meanwhile."""
    return _set_active(actor, username, True, reason)


def reset_password(actor: Actor, username: str, reason: str = "") -> str:
    """A new initial password, to be changed at the first log-in; open sessions end.

    Raises Refused `OWN_ROLES`, `SECOND_PERSON`.
    """
    actor.require(RESET_PASSWORD)
    user = locked_user(username)
    not_oneself(actor, user)
    not_both(actor, user, "factor.reset")
    password = initial_password()
    _set_password(user, password, must_change=True)
    end_all(user, actor.username, "password")
    record(actor, "user.reset_password", "user", username, detail={"reason": reason} if reason else None)
    return password


def change_password(actor: Actor, old: str, new: str) -> User:
    """The actor's own password.

    Raises Refused `PASSWORD_WRONG`, BadInput `PASSWORD_UNFIT` (the reasons also as `detail["problems"]`).
    Every session of the user ends but the one whose hash the caller renews (`sessions.keep`).
    """
    user = User.objects.select_for_update().get(username=actor.username)
    if not user.check_password(old):
        raise Refused("PASSWORD_WRONG", "现在的密码不对。", action="请重新输入。")
    fit_password(user, new)
    _set_password(user, new, must_change=False)
    record(actor, "user.change_password", "user", user.username)
    return user


def fit_password(user: User, new: str) -> None:
    """Raises BadInput `PASSWORD_UNFIT`."""
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise BadInput(
            "PASSWORD_UNFIT", "".join(error.messages), action="请换一个密码。", problems=error.messages
        ) from None


def close_ended_grants() -> int:
    """Close the grants whose time is over; they count for nothing since then already."""
    actor = Actor.system("grants")
    over = Grant.objects.filter(revoked_at=None, ends_at__lte=clock.now()).select_for_update(of=("self",))
    found = list(over.select_related("user").order_by("id"))
    for each in found:
        close_grant(actor, each, "到期")
    return len(found)


# --- inside ---


def _set_password(user: User, password: str, *, must_change: bool) -> None:
    user.set_password(password)
    user.password_changed_at = clock.now()
    user.must_change_password = must_change
    user.save(update_fields=["password", "password_changed_at", "must_change_password"])


def _set_active(actor: Actor, username: str, active: bool, reason: str) -> User:
    actor.require(MANAGE)
    user = locked_user(username)
    not_oneself(actor, user)
    if user.is_active != active:
        user.is_active = active
        user.save(update_fields=["is_active"])
        if not active:
            end_all(user, actor.username, "inactive")
        action = "user.reactivate" if active else "user.deactivate"
        record(actor, action, "user", username, detail={"reason": reason})
    return user


def _second_person(actor: Actor, role: str) -> None:
    if is_city_role(role) and not actor.may("*"):
        raise Refused(
            "SECOND_PERSON_NEEDED",
            f"“{ROLES[role].label}”是市级角色，须由第二人确认。",
            action="请提交授权申请，由安全管理员确认后生效。",
        )


def duties_allow(user: User, role: str, scope: Scope) -> Grant | None:
    """The grant that the user has already, None where she may get it. Raises Refused `DUTIES_SEPARATED`."""
    held = list(user.grants.filter(revoked_at=None).order_by("id"))
    for present in held:
        if (present.role, present.scope) == (role, scope):
            return present
    others = {present.role for present in held if present.role in ROLES} - {role}
    if others and (role in SEPARATED or others & SEPARATED):
        raise Refused(
            "DUTIES_SEPARATED",
            "系统管理、安全管理、审计、密钥管理与业务必须由不同的人担任。",
            found="、".join(ROLES[code].label for code in sorted(others)),
            expected=f"{ROLES[role].label}单独授予一人",
            action="请为此人另选角色，或把角色授予他人。",
        )
    return None


def open_grant(
    actor: Actor,
    user: User,
    role: str,
    scope: Scope,
    *,
    begins_at: datetime | None = None,
    ends_at: datetime | None = None,
    stands_in_for: Grant | None = None,
    reason: str = "",
) -> Grant:
    """The grant, for services that have asked the permission and locked the user. Again is no change."""
    if present := duties_allow(user, role, scope):
        return present
    opened = Grant.objects.create(
        user=user,
        role=role,
        level=scope.level,
        district_code=scope.district,
        school_code=scope.school,
        granted_at=clock.now(),
        granted_by=actor.username,
        begins_at=begins_at,
        ends_at=ends_at,
        stands_in_for=stands_in_for,
        reason=reason,
    )
    record(actor, "user.grant", "user", user.username, detail=told(opened))
    return opened


def open_again(
    actor: Actor, former: Grant, scope: Scope, *, stands_in_for: Grant | None = None, reason: str = ""
) -> Grant | None:
    """A role as it was held, in a scope: for what is left of its time. For services as `open_grant`.

    None where its time is over, and where a substitute has nobody to stand in for.
    """
    over = former.ends_at is not None and former.ends_at <= clock.now()
    if over or (former.stands_in_for_id and stands_in_for is None):
        return None
    return open_grant(
        actor,
        former.user,
        former.role,
        scope,
        begins_at=former.begins_at,
        ends_at=former.ends_at,
        stands_in_for=stands_in_for,
        reason=reason,
    )


def close_grant(actor: Actor, grant: Grant, reason: str) -> None:
    """End a grant now, for services that have asked the permission and locked the user."""
    grant.revoked_at, grant.revoked_by = clock.now(), actor.username
    grant.save(update_fields=["revoked_at", "revoked_by"])
    record(actor, "user.revoke", "user", grant.user.username, detail={**told(grant), "reason": reason})


def told(grant: Grant) -> dict[str, str]:
    """A grant as audit entries tell it."""
    bounds = {"begins": grant.begins_at, "ends": grant.ends_at}
    dated = {name: clock.local(at).isoformat() for name, at in bounds.items() if at}
    return {"role": grant.role, "scope": str(grant.scope), **dated}


def scope_of(role: str, district: str, school: str) -> Scope:
    """The scope in which the role is held; exactly the parts that its level needs."""
    if role not in STAFF_ROLES:
        offered = "、".join(STAFF_ROLES)
        raise BadInput("ROLE_UNKNOWN", "没有这个角色。", found=role, expected=offered)
    level = ROLES[role].level
    needed = {"city": (False, False), "district": (True, False), "school": (True, True)}[level]
    if (bool(district), bool(school)) != needed or (district and district not in DISTRICTS):
        expected = {"city": "不填区和学校", "district": "区代码（6 位）", "school": "区代码和学校标识码"}
        raise BadInput(
            "SCOPE_MISMATCH",
            f"角色“{ROLES[role].label}”的范围不对。",
            found=" ".join(part for part in (district, school) if part) or "未填",
            expected=expected[level],
        )
    return Scope(level, district, school)

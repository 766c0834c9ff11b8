"""Writing users and grants. The caller's edge commits."""

import re

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from xueka.kernel import clock
from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import BadInput, Conflict, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.passwords import initial_password
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import Scope

MANAGE = "city:user:manage"
#: 等保三级: who administers users and who audits do no business, and are not one person.
SEPARATED = frozenset({"city_admin", "auditor"})
_USERNAME = re.compile(r"[a-z][a-z0-9._-]{2,31}")


def create_user(
    actor: Actor, username: str, name: str, role: str, *, district: str = "", school: str = ""
) -> tuple[User, str]:
    """A user with one role, and the initial password, which is nowhere kept in clear and must be changed.

    Raises BadInput `USERNAME_FORMAT`, `NAME_EMPTY`, `ROLE_UNKNOWN`, `SCOPE_MISMATCH`;
    Conflict `USERNAME_TAKEN`.
    """
    actor.require(MANAGE)
    if not _USERNAME.fullmatch(username):
        raise BadInput(
            "USERNAME_FORMAT",
            "用户名格式不对。",
            found=username,
            expected="3–32 个字符：小写字母开头，可含小写字母、数字、点、连字符和下划线",
        )
    name = name.strip()
    if not name:
        raise BadInput("NAME_EMPTY", "姓名不能为空。", action="请填写使用者本人的姓名，账号不得共用。")
    if User.objects.filter(username=username).exists():
        raise Conflict("USERNAME_TAKEN", f"用户名 {username} 已被使用。", action="请换一个用户名。")
    scope = _scope_of(role, district, school)
    password = initial_password()
    now = clock.now()
    user = User(
        username=username, name=name, created_at=now, password_changed_at=now, must_change_password=True
    )
    user.set_password(password)
    user.save(force_insert=True)
    record(actor, "user.create", "user", username, detail={"name": name})
    _open(actor, user, role, scope)
    return user, password


def grant(actor: Actor, username: str, role: str, *, district: str = "", school: str = "") -> Grant:
    """Give the user a role in a scope; again is no change.

    Raises BadInput `ROLE_UNKNOWN`, `SCOPE_MISMATCH`; Refused `OWN_ROLES`, `DUTIES_SEPARATED`; NotFound.
    """
    actor.require(MANAGE)
    user = _locked(username)
    _not_oneself(actor, user)
    return _open(actor, user, role, _scope_of(role, district, school))


def revoke(actor: Actor, username: str, grant_id: int, reason: str = "") -> None:
    """End one of the user's roles from now on; whoever acts in it is logged out at the next request."""
    actor.require(MANAGE)
    user = _locked(username)
    _not_oneself(actor, user)
    found = user.grants.filter(pk=grant_id, revoked_at=None).first()
    if found is None:
        raise NotFound("GRANT_NOT_FOUND", "没有这项授权，或它已被收回。", action="请刷新页面后再试。")
    found.revoked_at, found.revoked_by = clock.now(), actor.username
    found.save(update_fields=["revoked_at", "revoked_by"])
    record(actor, "user.revoke", "user", username, detail={**_told(found), "reason": reason})


def deactivate(actor: Actor, username: str, reason: str = "") -> User:
    """The user can do nothing any more; open sessions end at the next request. Nobody is ever deleted."""
    return _set_active(actor, username, False, reason)


def reactivate(actor: Actor, username: str, reason: str = "") -> User:
    """The user may log in again, with the roles not revoked meanwhile."""
    return _set_active(actor, username, True, reason)


def reset_password(actor: Actor, username: str) -> str:
    """A new initial password, to be changed at the first log-in; open sessions end."""
    actor.require(MANAGE)
    user = _locked(username)
    _not_oneself(actor, user)
    password = initial_password()
    _set_password(user, password, must_change=True)
    record(actor, "user.reset_password", "user", username)
    return password


def change_password(actor: Actor, old: str, new: str) -> User:
    """The actor's own password.

    Raises Refused `PASSWORD_WRONG`, BadInput `PASSWORD_UNFIT` (the reasons also as `detail["problems"]`).
    Every session of the user ends but the one whose hash the caller renews (`sessions.keep`).
    """
    user = User.objects.select_for_update().get(username=actor.username)
    if not user.check_password(old):
        raise Refused("PASSWORD_WRONG", "现在的密码不对。", action="请重新输入。")
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise BadInput(
            "PASSWORD_UNFIT", "".join(error.messages), action="请换一个密码。", problems=error.messages
        ) from None
    _set_password(user, new, must_change=False)
    record(actor, "user.change_password", "user", user.username)
    return user


# --- inside ---


def _locked(username: str) -> User:
    accounts.find(username)
    return User.objects.select_for_update().get(username=username)


def _not_oneself(actor: Actor, user: User) -> None:
    if actor.user_id == user.pk:
        raise Refused("OWN_ROLES", "不能办理自己的账号、角色和密码重置。", action="请由另一位管理员办理。")


def _set_password(user: User, password: str, *, must_change: bool) -> None:
    user.set_password(password)
    user.password_changed_at = clock.now()
    user.must_change_password = must_change
    user.save(update_fields=["password", "password_changed_at", "must_change_password"])


def _set_active(actor: Actor, username: str, active: bool, reason: str) -> User:
    actor.require(MANAGE)
    user = _locked(username)
    _not_oneself(actor, user)
    if user.is_active != active:
        user.is_active = active
        user.save(update_fields=["is_active"])
        action = "user.reactivate" if active else "user.deactivate"
        record(actor, action, "user", username, detail={"reason": reason})
    return user


def _open(actor: Actor, user: User, role: str, scope: Scope) -> Grant:
    held = accounts.open_grants(user)
    for present in held:
        if (present.role, present.scope) == (role, scope):
            return present
    others = {present.role for present in held} - {role}
    if others and (role in SEPARATED or others & SEPARATED):
        raise Refused(
            "DUTIES_SEPARATED",
            "系统管理、审计与业务必须由不同的人担任。",
            found="、".join(ROLES[code].label for code in sorted(others)),
            expected=f"{ROLES[role].label}单独授予一人",
            action="请为此人另选角色，或把角色授予他人。",
        )
    opened = Grant.objects.create(
        user=user,
        role=role,
        level=scope.level,
        district_code=scope.district,
        school_code=scope.school,
        granted_at=clock.now(),
        granted_by=actor.username,
    )
    record(actor, "user.grant", "user", user.username, detail=_told(opened))
    return opened


def _told(grant: Grant) -> dict[str, str]:
    return {"role": grant.role, "scope": str(grant.scope)}


def _scope_of(role: str, district: str, school: str) -> Scope:
    """The scope in which the role is held; exactly the parts that its level needs."""
    if role not in ROLES or role == "system":
        offered = "、".join(code for code in ROLES if code != "system")
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

"""One-time codes on paper with which a person opens her account: made, printed once, used once, expired.

A code has 60 bits and is kept as a keyed hash. Making one voids the one before, so a sheet that was printed
twice holds only once. Wrong codes count by address like wrong passwords.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import fields
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import locked_user, not_oneself
from xueka.platform.identity.models import ActivationCode, Grant, User
from xueka.platform.identity.registered import end_all
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.services import check_username, fit_password

MANAGE = "district:officer:manage"
PRINTED_AT_ONCE = 400
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # read on paper: nothing that is taken for another
_LENGTH = 12
_KIND = "activation code"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one activation sheet says; `code` is nowhere else."""

    user: User
    grant: Grant
    code: str
    expires_on: str


def managed(scope: Scope) -> QuerySet[User]:
    """The people whose accounts whoever has `scope` keeps: those with a role below it, never her equals.

    Who has left stays with those who kept her; who went elsewhere does not.
    """
    held = Grant.objects.filter(revoked_at=None)
    inside = Grant.objects.filter(_kept(scope))
    users = User.objects.filter(pk__in=inside.values("user"))
    gone_elsewhere = held.exclude(user__in=inside.filter(revoked_at=None).values("user"))
    return users.exclude(pk__in=held.exclude(level__in=_below(scope)).values("user")).exclude(
        pk__in=gone_elsewhere.values("user")
    )


def wholly_kept(scope: Scope) -> QuerySet[User]:
    """Those of them whose every role lies there: a code opens the whole account, so only they get one."""
    held = Grant.objects.filter(revoked_at=None)
    return (
        managed(scope)
        .filter(pk__in=held.values("user"))
        .exclude(pk__in=held.exclude(_kept(scope)).values("user"))
    )


def find_managed(actor: Actor, username: str) -> User:
    """One of them. Raises NotFound `USER_NOT_FOUND` for anybody else."""
    actor.require(MANAGE)
    found = managed(actor.scope).filter(username=username).first()
    if found is None:
        raise NotFound("USER_NOT_FOUND", f"没有用户 {username}。", action="请核对用户名。")
    return found


def waiting(scope: Scope) -> QuerySet[User]:
    """Those who have not come with their code yet."""
    return wholly_kept(scope).filter(awaits_activation=True, is_active=True)


def make_sheets(actor: Actor, usernames: list[str]) -> list[Sheet]:
    """New codes for people whom the actor keeps and who have not come yet; older codes are void.

    Raises NotFound `NOBODY_WAITS`, Refused `TOO_MANY_SHEETS`. Needs `district:officer:manage`.
    """
    actor.require(MANAGE)
    users = list(
        waiting(actor.scope).filter(username__in=usernames).select_for_update(of=("self",)).order_by("pk")
    )
    if not users:
        raise NotFound(
            "NOBODY_WAITS", "没有待激活的人。", action="请刷新名单后再选；别处也有角色的人由系统管理员打印。"
        )
    if len(users) > PRINTED_AT_ONCE:
        raise Refused(
            "TOO_MANY_SHEETS",
            f"一次最多打印 {PRINTED_AT_ONCE} 张。",
            found=len(users),
            action="请按区或学校分次打印。",
        )
    sheets = [_sheet(actor, user) for user in users]
    record(
        actor,
        "activation.print",
        "user",
        users[0].username if len(users) == 1 else "",
        detail={"count": len(users), "users": [user.username for user in users]},
    )
    return sorted(sheets, key=lambda sheet: (sheet.grant.school_code, sheet.user.username))


def renew(actor: Actor, username: str) -> Sheet:
    """A new code for somebody who has lost hers or forgotten her password; until she comes she is out.

    Raises NotFound, Refused `OWN_ROLES`, `ALSO_ELSEWHERE`, `USER_INACTIVE`.
    """
    not_oneself(actor, find_managed(actor, username))
    user = locked_user(username)
    if not wholly_kept(actor.scope).filter(pk=user.pk).exists():
        raise Refused(
            "ALSO_ELSEWHERE",
            f"{user.name}在您管辖之外还有角色，或已没有角色，不能换发激活码。",
            action="请由系统管理员办理。",
        )
    if not user.is_active:
        raise Refused("USER_INACTIVE", f"{user.name}的账号已停用。", action="请先恢复账号。")
    user.awaits_activation = True
    user.set_unusable_password()
    user.save(update_fields=["awaits_activation", "password"])
    end_all(user, actor.username, "password")
    sheet = _sheet(actor, user)
    record(actor, "activation.renew", "user", username)
    return sheet


def recognise(code: str) -> User | None:
    """Whose open code this is."""
    typed = "".join(code.split()).replace("-", "").upper()
    found = ActivationCode.objects.select_related("user").filter(
        digest=_digest(typed), used_at=None, void_at=None, expires_at__gt=clock.now()
    )
    first = found.first()
    return first.user if first and first.user.is_active and first.user.awaits_activation else None


def held(code: str) -> str:
    """The code as a session keeps it between its two pages: sealed, for sessions lie in the database."""
    return fields.seal({"code": code}).hex()


def released(kept: str) -> str:
    """The code that `held` sealed."""
    return str(fields.unseal(bytes.fromhex(kept))["code"])


def activate(code: str, password: str, *, username: str = "", address: str = "") -> User:
    """The person comes with her code: her own password, and where the list left it open her own user name.

    Raises Refused `CODE_UNKNOWN`; BadInput `PASSWORD_UNFIT`, `USERNAME_FORMAT`; Conflict `USERNAME_TAKEN`.
    """
    user = recognise(code)
    typed = "".join(code.split()).replace("-", "").upper()
    user = locked_user(user.username) if user else None
    used = ActivationCode.objects.filter(digest=_digest(typed), used_at=None, void_at=None)
    if user is None or not used.filter(user=user, expires_at__gt=clock.now()).update(used_at=clock.now()):
        raise Refused(
            "CODE_UNKNOWN", "激活码不对、已用过或已过期。", action="请核对激活单；过期的请找上级重新打印。"
        )
    before = user.username
    if user.may_choose_username and username and username != before:
        check_username(username)
        user.username, user.first_username = username, user.first_username or before
    fit_password(user, password)
    user.set_password(password)
    user.password_changed_at = clock.now()
    user.awaits_activation = user.must_change_password = user.may_choose_username = False
    user.save()
    detail = {"was": before} if before != user.username else {}
    record(Actor.nobody(address), "activation.use", "user", user.username, detail=detail)
    return user


def _below(scope: Scope) -> tuple[str, ...]:
    return ("school",) if scope.level == "district" else ("school", "district")


def _kept(scope: Scope) -> Q:
    """The roles that whoever has `scope` keeps."""
    return scope.filter(district="district_code", school="school_code") & Q(level__in=_below(scope))


def _sheet(actor: Actor, user: User) -> Sheet:
    now = clock.now()
    ActivationCode.objects.filter(user=user, used_at=None, void_at=None).update(void_at=now)
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    expires = now + timedelta(days=settings.ACTIVATION_DAYS)
    ActivationCode.objects.create(
        user=user, digest=_digest(code), made_at=now, made_by=actor.username, expires_at=expires
    )
    grant = (
        user.grants.filter(Q(level="school") | Q(level="district"), revoked_at=None).order_by("id").first()
    )
    assert grant is not None, "whoever is kept by somebody has a role"
    shown = "-".join(code[at : at + 4] for at in range(0, _LENGTH, 4))
    return Sheet(user, grant, shown, clock.local(expires).date().isoformat())


def _digest(code: str) -> bytes:
    return fields.blind_index(_KIND, code)

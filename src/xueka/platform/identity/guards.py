"""What the services that touch users have in common: the lock, and the rules about oneself and reasons."""

from collections.abc import Iterable

from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.text import normalise
from xueka.platform.audit import queries as audit
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User
from xueka.platform.identity.scope import EVERYWHERE


def locked_user(username: str) -> User:
    """The user, locked. Raises NotFound `USER_NOT_FOUND`."""
    accounts.find(username)
    return User.objects.select_for_update().get(username=username)


def lock_users(ids: Iterable[int]) -> None:
    """Lock several users; by rising id, whoever else needs two of them."""
    list(User.objects.select_for_update().filter(pk__in=set(ids)).order_by("pk").values_list("pk"))


def not_oneself(actor: Actor, user: User) -> None:
    if actor.user_id == user.pk:
        raise Refused("OWN_ROLES", "不能办理自己的账号、角色和密码重置。", action="请由另一位管理员办理。")


def not_both(actor: Actor, user: User, other: str) -> None:
    """Whoever has reset one proof of identity does not reset the other (audit action `other`) before its
    owner has come and taken the account back: one person would hold it. The command line may.
    """
    if actor.may("*"):
        return
    came = user.last_login if not user.must_change_password else None
    if audit.entries(
        EVERYWHERE,
        actor=actor.username,
        action=other,
        object_type="user",
        object_id=user.username,
        since=came or user.created_at,
        limit=1,
    ):
        raise Refused(
            "SECOND_PERSON",
            "密码和动态验证码不能由同一人重置。",
            action="请由另一位安全管理员办理，或等本人登录后再办。",
        )


def reason_given(reason: str) -> str:
    """The reason, tidied. Raises BadInput `REASON_MISSING`."""
    reason = normalise(reason)[:200]
    if not reason:
        raise BadInput(
            "REASON_MISSING", "请写明原因。", expected="一句话的原因", action="请补上原因后再办理。"
        )
    return reason

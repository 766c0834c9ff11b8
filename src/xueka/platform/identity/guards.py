"""What services have in common: the lock on users, the rules about oneself, second people and reasons."""

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


def second_person(
    actor: Actor,
    first: str | Iterable[str],
    said: str,
    *,
    code: str = "SECOND_PERSON",
    where: str | None = None,
    expected: str | None = None,
    action: str = "请通知另一位有权限的人员。",
) -> None:
    """Of every act under two people: whoever completes it is a named user, and nobody of those who began it.

    The operating-system user of the command line and the system's own processes hold every permission; they
    are nobody in particular, so that one person at the server would be both. `first` is a user name, or some.

    Raises Refused `PERSON_NEEDED`, or `code` with what `said`.
    """
    if actor.role == "system":
        raise Refused(
            "PERSON_NEEDED",
            "第二人须是有权限的实名用户，系统和操作系统用户都不能代替。",
            where=where,
            found=actor.username,
            expected=expected,
            action="请第二人登录后办理；在命令行上用 --as 写明是谁。",
        )
    if actor.username in ({first} if isinstance(first, str) else set(first)):
        raise Refused(code, said, where=where, found=actor.username, expected=expected, action=action)


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

"""Leavers: everything ends at once, and what she had open is named for whoever takes over."""

from collections.abc import Sequence
from typing import Any

from xueka.contexts.officers.domain.transitions import ASKED, HAND_OVER
from xueka.contexts.officers.models import HandOver
from xueka.contexts.officers.services.keeping import colleague_of, keeps
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply
from xueka.platform.identity import activation
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import lock_users, not_oneself, reason_given
from xueka.platform.identity.models import Grant, User
from xueka.platform.identity.registered import end_all


def leave(actor: Actor, username: str, reason: str, work: Sequence[Any], successor: str = "") -> User:
    """She is gone: grants ended, sessions closed, the account stopped. `successor` gets her grants.

    Raises NotFound `USER_NOT_FOUND`; BadInput `REASON_MISSING`; Refused `OWN_ROLES`, `ALSO_ELSEWHERE`.
    Needs `district:officer:manage`.
    """
    actor.require(activation.MANAGE)
    reason = reason_given(reason)
    not_oneself(actor, activation.find_managed(actor, username))
    lock_users(User.objects.filter(username__in=[username, successor]).values_list("pk", flat=True))
    user = User.objects.get(username=username)
    grants = list(Grant.objects.filter(user=user, revoked_at=None).order_by("id"))
    if not all(keeps(actor, grant) for grant in grants):
        raise Refused(
            "ALSO_ELSEWHERE",
            f"{user.name}在您管辖之外还有角色，不能整体停用。",
            action="请只收回本区的角色，或由系统管理员办理。",
        )
    for grant in grants:
        heir = colleague_of(actor, grant, successor) if successor else None
        for substitute in Grant.objects.filter(stands_in_for=grant, revoked_at=None).select_related("user"):
            identity.close_grant(actor, substitute, "本人离任")
        identity.close_grant(actor, grant, reason)
        if heir and not grant.stands_in_for_id:
            identity.open_grant(actor, heir, grant.role, grant.scope, reason=f"接替 {user.name}")
    open_ones = HandOver.objects.filter(state=ASKED).filter(from_user=user)
    ids = list(open_ones.values_list("pk", flat=True))
    ids += list(HandOver.objects.filter(state=ASKED, to_user=user).values_list("pk", flat=True))
    apply(HAND_OVER, HandOver, ids, "cancel", actor, reason="离任")
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_all(user, actor.username, "left")
    detail = {"reason": reason, "successor": successor, "work": list(work)}
    record(actor, "officer.leave", "user", username, detail=detail)
    return user

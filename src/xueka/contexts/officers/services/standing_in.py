"""Substitutes: somebody does another one's work until a day, under her own name, and then no more."""

from datetime import date, timedelta

from xueka.contexts.officers.domain.transitions import PERMISSION
from xueka.contexts.officers.services.keeping import colleague_of, keeps, locked_grant, midnight
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import lock_users, reason_given
from xueka.platform.identity.models import Grant

LONGEST_DAYS = 184


def stand_in(actor: Actor, grant_id: int, username: str, first: date, last: date, reason: str) -> Grant:
    """`username` gets the role and place of the grant from `first` to `last`, both included.

    By the holder herself towards a colleague of the same place, or by whoever keeps her account.
    Raises NotFound, BadInput `DATES`, `REASON_MISSING`; Refused `ROLE_HELD`, `STANDS_IN`, `DUTIES_SEPARATED`.
    """
    actor.require(PERMISSION)
    reason = reason_given(reason)
    grant = locked_grant(actor, grant_id, username)
    if grant.stands_in_for_id:
        raise Refused("STANDS_IN", "代理人不能再找人代理。", action="请由本人或上级另行指定代理人。")
    today = clock.today()
    if not (today <= first <= last <= first + timedelta(days=LONGEST_DAYS)):
        raise BadInput(
            "DATES",
            "代理的起止日期不对。",
            found=f"{first} 至 {last}",
            expected=f"今天或以后开始，结束不早于开始，最长 {LONGEST_DAYS} 天",
            action="请改正日期。",
        )
    until = midnight(last + timedelta(days=1))
    if grant.ends_at and until > grant.ends_at:
        raise BadInput(
            "DATES",
            "代理不能比被代理的角色更长。",
            found=last,
            expected=f"{clock.local(grant.ends_at):%Y-%m-%d} 之前",
            action="请改正日期。",
        )
    user = colleague_of(actor, grant, username)
    identity.close_ended_grants()
    if held := identity.duties_allow(user, grant.role, grant.scope):
        raise Refused(
            "ROLE_HELD",
            f"{user.name}已经有这个角色，不用代理。",
            found=str(held.scope),
            action="请另选一人。",
        )
    made = identity.open_grant(
        actor,
        user,
        grant.role,
        grant.scope,
        begins_at=midnight(first) if first > today else clock.now(),
        ends_at=until,
        stands_in_for=grant,
        reason=reason,
    )
    detail = {"for": grant.user.username, "from": str(first), "until": str(last), "reason": reason}
    record(actor, "officer.stand_in", "user", user.username, detail=detail)
    return made


def end_stand_in(actor: Actor, grant_id: int, reason: str = "") -> None:
    """End a substitute's grant before its day: by her, by whom she stands in for, or by the keeper."""
    actor.require(PERMISSION)
    open_ones = Grant.objects.filter(pk=grant_id, revoked_at=None, stands_in_for__isnull=False)
    lock_users(open_ones.values_list("user", flat=True))
    found = open_ones.select_related("user", "stands_in_for").first()
    mine = found is not None and actor.user_id in (
        found.user_id,
        found.stands_in_for.user_id if found.stands_in_for else None,
    )
    if found is None or not (mine or keeps(actor, found)):
        raise NotFound("GRANT_NOT_FOUND", "没有这项代理，或它已结束。", action="请刷新页面。")
    identity.close_grant(actor, found, reason or "代理提前结束")

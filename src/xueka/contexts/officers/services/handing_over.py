"""Hand-over: from A to B on a day. The open work is listed, both confirm, A's grant ends and B's begins."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from xueka.contexts.officers.domain.transitions import ASKED, HAND_OVER, PERMISSION
from xueka.contexts.officers.models import HandOver
from xueka.contexts.officers.services.keeping import colleague_of, keeps, locked_grant, midnight
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import lock_users
from xueka.platform.identity.models import Grant
from xueka.platform.identity.scope import Scope

LATEST_DAYS = 184


def ask(actor: Actor, grant_id: int, username: str, day: date, note: str = "") -> HandOver:
    """Announce that the grant's work goes to `username` on `day`. By its holder or by the keeper.

    Raises NotFound, BadInput `DATES`, Refused `HAND_OVER_OPEN`, `STANDS_IN`, `GRANT_ENDED`.
    """
    actor.require(PERMISSION)
    grant = locked_grant(actor, grant_id, username)
    today = clock.today()
    if not today <= day <= today + timedelta(days=LATEST_DAYS):
        raise BadInput(
            "DATES",
            "交接日期不对。",
            found=day,
            expected=f"今天起 {LATEST_DAYS} 天之内",
            action="请改正日期。",
        )
    if grant.stands_in_for_id:
        raise Refused("STANDS_IN", "代理不用交接，到期自行结束。", action="请由本人交接。")
    _not_ending(grant)
    to_user = colleague_of(actor, grant, username)
    identity.duties_allow(to_user, grant.role, grant.scope)
    place = {"district_code": grant.district_code, "school_code": grant.school_code}
    if HandOver.objects.filter(from_user=grant.user, role=grant.role, state=ASKED, **place).exists():
        raise Refused("HAND_OVER_OPEN", "这项工作已有一份待确认的交接。", action="请先取消那一份。")
    made = HandOver.objects.create(
        role=grant.role,
        level=grant.level,
        **place,
        from_user=grant.user,
        to_user=to_user,
        day=day,
        note=note[:500],
        state=ASKED,
        asked_at=clock.now(),
        asked_by=actor.username,
    )
    begin(HAND_OVER, [made.pk], actor)
    record(actor, "hand_over.ask", "hand_over", made.pk, detail=_told(made))
    return made


def confirm(actor: Actor, hand_over_id: int, work: Sequence[Any]) -> HandOver:
    """One of the two says yes; with the second yes it is done. `work` is what is open now, kept with it.

    Raises NotFound, Refused `NOT_A_PARTY`, `TRANSITION_NOT_ALLOWED`, `GRANT_ENDED`.
    """
    actor.require(PERMISSION)
    lock_users(HandOver.objects.values_list("from_user", "to_user").filter(pk=hand_over_id).first() or ())
    found = _visible(actor, hand_over_id)
    HAND_OVER.target("agree", found.state)
    if actor.user_id == found.from_user_id:
        found.from_confirmed_at = found.from_confirmed_at or clock.now()
    elif actor.user_id == found.to_user_id:
        found.to_confirmed_at = found.to_confirmed_at or clock.now()
    else:
        raise Refused("NOT_A_PARTY", "交接只能由移交人和接手人本人确认。", action="请等待双方确认。")
    found.work = list(work)
    found.save(update_fields=["from_confirmed_at", "to_confirmed_at", "work"])
    record(actor, "hand_over.confirm", "hand_over", found.pk, detail=_told(found))
    if found.from_confirmed_at and found.to_confirmed_at:
        _agree(actor, found)
    return found


def cancel(actor: Actor, hand_over_id: int, reason: str = "") -> None:
    """Take it back while one of the two has not confirmed: by either of them or by the keeper."""
    found = _visible(actor, hand_over_id)
    apply(HAND_OVER, HandOver, [found.pk], "cancel", actor, reason=reason)
    record(actor, "hand_over.cancel", "hand_over", found.pk, detail={**_told(found), "reason": reason})


def visible_to(actor: Actor, found: HandOver) -> bool:
    """Parties and keepers see a hand-over; to everybody else it does not exist."""
    seat = Grant(level=found.level, district_code=found.district_code, school_code=found.school_code)
    return actor.user_id in (found.from_user_id, found.to_user_id) or keeps(actor, seat)


# --- inside ---


def _visible(actor: Actor, hand_over_id: int) -> HandOver:
    rows = HandOver.objects.select_related("from_user", "to_user").select_for_update(of=("self",))
    found = rows.filter(pk=hand_over_id).first()
    if found is None or not visible_to(actor, found):
        raise NotFound("HAND_OVER_NOT_FOUND", "没有这份交接。", action="请刷新页面。")
    return found


def _agree(actor: Actor, found: HandOver) -> None:
    place = {"district_code": found.district_code, "school_code": found.school_code}
    grant = Grant.objects.filter(user=found.from_user, role=found.role, revoked_at=None, **place).first()
    if grant is None:
        raise Refused("GRANT_ENDED", "移交人的角色已经结束。", action="请取消这份交接，由上级直接授权。")
    _not_ending(grant)
    starts = midnight(found.day)
    scope = Scope(found.level, found.district_code, found.school_code)
    begins = _make_room(actor, found, scope, starts)
    identity.open_grant(actor, found.to_user, found.role, scope, begins_at=begins, reason="交接")
    substitutes = Grant.objects.filter(stands_in_for=grant, revoked_at=None).select_related("user")
    for ending in (grant, *substitutes):
        _end_by(actor, ending, starts)
    apply(HAND_OVER, HandOver, [found.pk], "agree", actor)


def _not_ending(grant: Grant) -> None:
    """A role that ends on a day is promised already; giving it away again would lengthen it."""
    if grant.ends_at:
        raise Refused(
            "GRANT_ENDED",
            "这个角色已定了结束的日子，不能再交接。",
            found=f"{clock.local(grant.ends_at):%Y-%m-%d}",
            action="请由上级直接授权。",
        )


def _end_by(actor: Actor, grant: Grant, starts: datetime) -> None:
    """The grant is over when the new one begins, and no later than it would have been."""
    if starts <= clock.now() or (grant.begins_at and grant.begins_at >= starts):
        identity.close_grant(actor, grant, "交接")
    elif grant.ends_at is None or grant.ends_at > starts:
        grant.ends_at = starts
        grant.save(update_fields=["ends_at"])


def _make_room(actor: Actor, found: HandOver, scope: Scope, starts: datetime) -> datetime | None:
    """When the receiver begins. A grant of hers that would end (she stood in) gives way to the one that
    stays, which then begins at once: nobody stands without access in between.
    """
    now = clock.now()
    held = identity.duties_allow(found.to_user, found.role, scope)
    if held and held.ends_at:
        identity.close_grant(actor, held, "改为接手")
        if (held.begins_at is None or held.begins_at <= now) and held.ends_at >= starts:
            return None
    return None if starts <= now else starts


def _told(found: HandOver) -> dict[str, str]:
    return {
        "from": found.from_user.username,
        "to": found.to_user.username,
        "role": found.role,
        "day": str(found.day),
        "school": found.school_code or found.district_code,
    }

"""Roles of the city under two people: the system administrator asks, the security administrator confirms."""

from django.db.models import QuerySet

from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import locked_user, not_oneself, reason_given, second_person
from xueka.platform.identity.machines import ASKED, GRANT_REQUEST
from xueka.platform.identity.models import GrantRequest
from xueka.platform.identity.permissions import ROLES, is_city_role
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.services import MANAGE, duties_allow, open_grant


def ask(actor: Actor, username: str, role: str, reason: str) -> GrantRequest:
    """Ask for a role of the city; asking again while it is open gives the open request.

    Raises BadInput `ROLE_UNKNOWN`, `REASON_MISSING`; Refused `OWN_ROLES`, `DUTIES_SEPARATED`,
    `ROLE_HELD`.
    """
    actor.require(MANAGE)
    if not is_city_role(role):
        offered = "、".join(code for code in ROLES if is_city_role(code))
        raise BadInput("ROLE_UNKNOWN", "只有市级角色需要申请。", found=role, expected=offered)
    reason = reason_given(reason)
    user = locked_user(username)
    not_oneself(actor, user)
    if duties_allow(user, role, Scope("city")):
        raise Refused("ROLE_HELD", f"{user.name}已经有{ROLES[role].label}的角色。", action="不用再申请。")
    present = GrantRequest.objects.filter(user=user, role=role, state=ASKED).first()
    if present:
        return present
    asked = GrantRequest.objects.create(
        user=user, role=role, reason=reason, state=ASKED, asked_at=clock.now(), asked_by=actor.username
    )
    begin(GRANT_REQUEST, [asked.pk], actor)
    record(actor, "grant.ask", "user", username, detail=_told(asked))
    return asked


def confirm(actor: Actor, request_id: int) -> GrantRequest:
    """The second person: the role is granted now.

    Raises NotFound, Refused `SAME_PERSON`, `OWN_ROLES`, `USER_INACTIVE`, `DUTIES_SEPARATED`,
    `TRANSITION_NOT_ALLOWED`.
    """
    asked = _locked(request_id)
    second_person(
        actor,
        asked.asked_by,
        "申请人不能确认自己的申请。",
        code="SAME_PERSON",
        action="请由另一位安全管理员确认。",
    )
    not_oneself(actor, asked.user)
    actor.require(GRANT_REQUEST.permission("confirm", ASKED))
    GRANT_REQUEST.target("confirm", asked.state)
    user = locked_user(asked.user.username)
    if not user.is_active:
        raise Refused(
            "USER_INACTIVE",
            f"{user.name}的账号已停用，不能再授予角色。",
            action="请驳回这份申请；需要时先恢复账号，再重新申请。",
        )
    grant = open_grant(actor, user, asked.role, Scope("city"))
    # First who and what, then the state: a confirmed request without either cannot be stored.
    GrantRequest.objects.filter(pk=asked.pk).update(
        grant=grant, decided_at=clock.now(), decided_by=actor.username
    )
    apply(GRANT_REQUEST, GrantRequest, [asked.pk], "confirm", actor)
    record(actor, "grant.confirm", "user", asked.user.username, detail=_told(asked))
    return asked


def refuse(actor: Actor, request_id: int, reason: str) -> GrantRequest:
    """No. Raises as `confirm`, and BadInput `REASON_MISSING`."""
    reason = reason_given(reason)
    asked = _locked(request_id)
    return _end(actor, asked, "refuse", reason)


def withdraw(actor: Actor, request_id: int) -> GrantRequest:
    """The asking side changes its mind."""
    return _end(actor, _locked(request_id), "withdraw", "")


def rows() -> QuerySet[GrantRequest]:
    return GrantRequest.objects.select_related("user")


def waiting() -> list[GrantRequest]:
    """Requests that nobody has answered, the oldest first."""
    return list(rows().filter(state=ASKED).order_by("id"))


# --- inside ---


def _locked(request_id: int) -> GrantRequest:
    found = GrantRequest.objects.select_related("user").select_for_update(of=("self",))
    try:
        return found.get(pk=request_id)
    except GrantRequest.DoesNotExist:
        raise NotFound("REQUEST_NOT_FOUND", "没有这份授权申请。", action="请刷新页面后再试。") from None


def _end(actor: Actor, asked: GrantRequest, event: str, reason: str) -> GrantRequest:
    apply(GRANT_REQUEST, GrantRequest, [asked.pk], event, actor, reason=reason)
    GrantRequest.objects.filter(pk=asked.pk).update(decided_at=clock.now(), decided_by=actor.username)
    record(actor, f"grant.{event}", "user", asked.user.username, detail={**_told(asked), "reason": reason})
    return asked


def _told(asked: GrantRequest) -> dict[str, object]:
    return {"role": asked.role, "request": asked.pk, "asked_by": asked.asked_by}

"""Sessions of staff: bound to one grant, ended by idleness, by age, and at once by a revoked role.

The session holds `grant` (which role is acted in), `since` (log-in) and `seen` (last use), the latter two in
whole seconds of Unix time. Deactivation and a changed password end it through Django's own checks.
"""

from dataclasses import dataclass, field

from django.conf import settings
from django.contrib import auth
from django.db import transaction
from django.http import HttpRequest

from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.addresses import client_address
from xueka.platform.identity.models import Grant, User

TOUCH_SECONDS = 60  # `seen` is written this often, so that not every page costs a write


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is there: the actor, the grant acted in, all grants; `ended` says why a session is over."""

    actor: Actor | None = None
    grant: Grant | None = None
    grants: list[Grant] = field(default_factory=list)
    password_due: bool = False
    ended: str = ""


class StaffRequest(HttpRequest):
    """A request as `StaffSessionMiddleware` passes it on. `actor` is None only where nobody is logged in,
    which no portal view ever sees.
    """

    presence: Presence
    actor: Actor
    grant: Grant | None
    grants: list[Grant]


def begin(request: HttpRequest, user: User) -> Actor:
    """Log in a user whom `django.contrib.auth.authenticate` has recognised, in her first role.

    Raises Refused `USER_WITHOUT_ROLE`.
    """
    grants = accounts.open_grants(user)
    address = client_address(request)
    if not grants:
        record(
            Actor.nobody(address),
            "session.log_in",
            "user",
            user.username,
            result="refused",
            detail={"why": "role"},
        )
        raise Refused("USER_WITHOUT_ROLE", "您的账号没有有效的角色。", action="请联系为您开立账号的管理员。")
    actor = accounts.as_actor(user, grants[0], address)
    with transaction.atomic():
        auth.login(request, user)
        _start(request, grants[0])
        record(actor, "session.log_in", "user", user.username)
    return actor


def end(request: HttpRequest) -> None:
    """Log out."""
    actor = getattr(request, "actor", None)
    with transaction.atomic():
        if actor:
            record(actor, "session.log_out", "user", actor.username)
        auth.logout(request)


def switch(request: StaffRequest, grant_id: int) -> Actor:
    """Act in another of one's own roles from now on. Raises NotFound `GRANT_NOT_FOUND` for any other."""
    for grant in request.grants:
        if grant.pk == grant_id:
            request.session["grant"] = grant.pk
            actor = accounts.as_actor(grant.user, grant, client_address(request))
            record(actor, "session.switch", "user", actor.username, detail={"from": str(request.actor.scope)})
            return actor
    raise NotFound("GRANT_NOT_FOUND", "没有这项授权，或它已被收回。", action="请刷新页面后再试。")


def keep(request: HttpRequest, user: User) -> None:
    """After a change of password: this session goes on under a new key, all others of the user are over."""
    auth.update_session_auth_hash(request, user)


def resume(request: HttpRequest) -> Presence:
    """Who acts in this request. Ends the session where its time or its grant is over."""
    user = request.user
    if not user.is_authenticated:
        return Presence()
    grants = accounts.open_grants(user)
    if "grant" not in request.session and grants:
        _start(request, grants[0])
    present = next((grant for grant in grants if grant.pk == request.session.get("grant")), None)
    why = _over(request, present)
    if why or present is None:
        last = user.grants.filter(pk=request.session.get("grant") or 0).first()
        actor = (
            accounts.as_actor(user, last, client_address(request))
            if last
            else Actor.nobody(client_address(request))
        )
        with transaction.atomic():
            record(actor, "session.expire", "user", user.username, detail={"why": why})
            auth.logout(request)
        return Presence(ended=why)
    now = _seconds()
    if now - request.session["seen"] >= TOUCH_SECONDS:
        request.session["seen"] = now
    return Presence(
        accounts.as_actor(user, present, client_address(request)),
        present,
        grants,
        accounts.password_due(user, grants),
    )


def _over(request: HttpRequest, grant: Grant | None) -> str:
    if grant is None:
        return "revoked"
    now = _seconds()
    if now - request.session["since"] >= settings.SESSION_ABSOLUTE_AGE:
        return "absolute"
    return "idle" if now - request.session["seen"] >= settings.SESSION_IDLE_AGE else ""


def _start(request: HttpRequest, grant: Grant) -> None:
    request.session["grant"] = grant.pk
    request.session["since"] = request.session["seen"] = _seconds()


def _seconds() -> int:
    return int(clock.now().timestamp())

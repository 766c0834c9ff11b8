"""Sessions of staff: bound to one grant, ended by idleness, by age, and at once by a revoked role.

The session holds `grant` (which role is acted in), `since` (log-in), `seen` (last use) and `proved` (when the
person last showed that it is she), in whole seconds of Unix time; `factor` says that the second factor was
shown. Deactivation and a changed password end it through Django's own checks. Between password and second
factor nobody is logged in: `held` keeps who it would be, for five minutes.
"""

from dataclasses import dataclass, field

from django.conf import settings
from django.contrib import auth
from django.db import transaction
from django.http import HttpRequest

from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts, registered, second_factor
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.addresses import client_address
from xueka.platform.identity.models import Grant, User

TOUCH_SECONDS = 60  # `seen` is written this often, so that not every page costs a write
HELD_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is there: the actor, the grant acted in, all grants; `ended` says why a session is over."""

    actor: Actor | None = None
    grant: Grant | None = None
    grants: list[Grant] = field(default_factory=list)
    password_due: bool = False
    factor_due: bool = False
    ended: str = ""


class StaffRequest(HttpRequest):
    """A request as `StaffSessionMiddleware` passes it on. `actor` is None only where nobody is logged in,
    which no portal view ever sees.
    """

    presence: Presence
    actor: Actor
    grant: Grant | None
    grants: list[Grant]


def begin(request: HttpRequest, user: User) -> Actor | None:
    """Log in a user whom `django.contrib.auth.authenticate` has recognised, in her first role.

    None: her second factor is asked for first; `held` and `finish` go on. Raises Refused `USER_WITHOUT_ROLE`.
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
    if second_factor.needed(grants) and second_factor.enrolled(user):
        request.session.cycle_key()
        backend = getattr(user, "backend", settings.AUTHENTICATION_BACKENDS[-1])
        request.session["held"] = [user.pk, user.get_session_auth_hash(), _seconds(), backend]
        return None
    return _log_in(request, user, grants, proved_by="password")


def held(request: HttpRequest) -> User | None:
    """Who has given the right password in this browser within five minutes, and not yet the code."""
    pk, digest, at, backend = request.session.get("held", (0, "", 0, ""))
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None or digest != user.get_session_auth_hash() or _seconds() - at > HELD_SECONDS:
        request.session.pop("held", None)
        return None
    user.backend = backend  # type: ignore[attr-defined]
    return user


def finish(request: HttpRequest, user: User, proved_by: str) -> Actor:
    """The second factor was right (`code` or `recovery`): log in. Raises Refused `USER_WITHOUT_ROLE`."""
    grants = accounts.open_grants(user)
    if not grants:
        raise Refused("USER_WITHOUT_ROLE", "您的账号没有有效的角色。", action="请联系为您开立账号的管理员。")
    request.session.pop("held", None)
    actor = _log_in(request, user, grants, proved_by=proved_by)
    request.session["factor"] = True
    return actor


def prove(request: HttpRequest, *, factor: bool) -> None:
    """The person has just shown again that it is she, by password or by her second factor."""
    request.session["proved"] = _seconds()
    if factor:
        request.session["factor"] = True


def is_fresh(request: HttpRequest) -> bool:
    """Whether she has shown it lately enough for the most sensitive acts."""
    return _seconds() - int(request.session.get("proved", 0)) < settings.PROVED_AGE


def end(request: HttpRequest) -> None:
    """Log out."""
    actor = getattr(request, "actor", None)
    with transaction.atomic():
        if actor:
            record(actor, "session.log_out", "user", actor.username)
            registered.closed(request.session.session_key or "", actor.username, "log_out")
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
    before = request.session.session_key or ""
    registered.end_all(user, user.username, "password", but=before)
    auth.update_session_auth_hash(request, user)
    registered.renamed(before, request.session.session_key or "")


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
            registered.closed(request.session.session_key or "", "system:sessions", why)
            auth.logout(request)
        return Presence(ended=why)
    now = _seconds()
    if now - request.session["seen"] >= TOUCH_SECONDS:
        request.session["seen"] = now
        registered.seen(request.session.session_key or "")
    return Presence(
        accounts.as_actor(user, present, client_address(request)),
        present,
        grants,
        accounts.password_due(user, grants),
        second_factor.needed(grants) and not request.session.get("factor"),
    )


def _log_in(request: HttpRequest, user: User, grants: list[Grant], *, proved_by: str) -> Actor:
    address = client_address(request)
    actor = accounts.as_actor(user, grants[0], address)
    with transaction.atomic():
        auth.login(request, user)
        _start(request, grants[0])
        request.session["proved"] = _seconds()
        request.session.save()
        registered.opened(
            user, request.session.session_key or "", address, request.headers.get("User-Agent", "")
        )
        record(actor, "session.log_in", "user", user.username, detail={"by": proved_by})
    return actor


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

"""Log-in failures: counted by django-axes under a name that tells nothing, looked at and released here.

People type passwords into the name field. What is no user's name is therefore kept as a keyed hash only, and
the fields of the page are not kept at all (docs/adr/0082).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest

from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.crypto import fields
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User

RELEASE = "city:lockout:release"
UNKNOWN = "?"  # begins the stand-in for a name that is nobody's; no user name contains it
ACTIVATION = "?activation"


@dataclass(frozen=True, slots=True)
class LockOut:
    """An account that cannot log in from an address until a time; `name` is "" where it is nobody's."""

    id: int
    username: str
    name: str
    address: str
    failures: int
    until: datetime


def stand_in(request: HttpRequest | None, credentials: dict[str, Any] | None = None) -> str:
    """For AXES_USERNAME_CALLABLE: the user's name, or a keyed hash of what was typed instead of one."""
    typed = str((credentials or {}).get("username") or "")
    if not typed and request is not None:
        typed = request.POST.get("username", "")
    if typed in ("", ACTIVATION):
        return typed
    if User.objects.filter(username=typed).exists():
        return typed
    return UNKNOWN + fields.blind_index("typed user name", typed)[:12].hex()


def failed(request: HttpRequest, username: str) -> None:
    """Count a failure that is not Django's: a wrong code of the second factor or of an activation sheet."""
    AxesProxyHandler.user_login_failed("xueka", {"username": username}, request)


def is_locked(request: HttpRequest, username: str) -> bool:
    return not AxesProxyHandler.is_allowed(request, {"username": username})


def locked_now() -> list[LockOut]:
    """Who is locked out at this moment, the latest first."""
    since = clock.now() - timedelta(hours=settings.AXES_COOLOFF_TIME)
    found = AccessAttempt.objects.filter(
        attempt_time__gt=since, failures_since_start__gte=settings.AXES_FAILURE_LIMIT
    ).order_by("-attempt_time")[:500]
    attempts = list(found)
    users = User.objects.filter(username__in=[each.username or "" for each in attempts])
    names = {user.username: user.name for user in users}
    return [
        LockOut(
            each.pk,
            each.username if each.username in names else "",
            names.get(each.username or "", "激活码" if each.username == ACTIVATION else "（不是账号）"),
            each.ip_address or "",
            each.failures_since_start,
            each.attempt_time + timedelta(hours=settings.AXES_COOLOFF_TIME),
        )
        for each in attempts
    ]


def release(actor: Actor, attempt_id: int, reason: str) -> None:
    """Let somebody try again before the time is over. Needs `city:lockout:release`."""
    actor.require(RELEASE)
    found = AccessAttempt.objects.select_for_update().filter(pk=attempt_id).first()
    if found is None:
        raise NotFound("LOCKOUT_NOT_FOUND", "没有这项锁定，或它已经解除。", action="请刷新页面。")
    record(
        actor,
        "lockout.release",
        "user",
        found.username if not (found.username or UNKNOWN).startswith(UNKNOWN) else "",
        detail={"address": found.ip_address, "failures": found.failures_since_start, "reason": reason},
    )
    found.delete()

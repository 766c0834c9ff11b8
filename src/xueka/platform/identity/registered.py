"""The register of staff sessions: where somebody is logged in, and ending it from outside.

The row lives beside Django's own session. To end a session its Django row is deleted: the next request of
that browser finds nobody. Pages read the register only where sessions are shown.
"""

import re
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet

from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import StaffSession, User

END = "city:session:end"
_SYSTEMS = (
    ("Windows", "Windows"), ("Android", "安卓"), ("iPhone", "iPhone"), ("iPad", "iPad"),
    ("Mac OS X", "Mac"), ("HarmonyOS", "鸿蒙"), ("Linux", "Linux"),
)  # fmt: skip
_BROWSERS = (
    ("MicroMessenger", "微信"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)


def device_words(user_agent: str) -> str:
    """«Windows · Chrome 120» of a browser's own description; nothing is taken over as written."""
    system = next((words for mark, words in _SYSTEMS if mark in user_agent), "")
    browser = next(((mark, words) for mark, words in _BROWSERS if mark in user_agent), None)
    if browser is None:
        return system or "未知设备"
    version = re.search(re.escape(browser[0]) + r"[A-Za-z]*/(\d{1,4})", user_agent)
    words = f"{browser[1]} {version[1]}" if version else browser[1]
    return " · ".join(part for part in (system, words) if part)


def opened(user: User, key: str, address: str, user_agent: str) -> None:
    """A session has begun under `key`."""
    now = clock.now()
    StaffSession.objects.create(
        user=user, key=key, address=address, device=device_words(user_agent), began_at=now, seen_at=now
    )


def seen(key: str) -> None:
    StaffSession.objects.filter(key=key).update(seen_at=clock.now())


def renamed(old: str, new: str) -> None:
    """Django has given the session a new key."""
    StaffSession.objects.filter(key=old).update(key=new)


def closed(key: str, by: str, why: str) -> None:
    """The session of this key is over."""
    StaffSession.objects.filter(key=key).update(key="", ended_at=clock.now(), ended_by=by, ended_why=why)


def end_all(user: User, by: str, why: str, *, but: str = "") -> int:
    """End every session of the user except the one of key `but`; returns how many."""
    return _end(StaffSession.objects.filter(user=user).exclude(key=but), by, why)


def of_user(username: str) -> list[StaffSession]:
    """Open sessions, the last used first, then the last twenty that ended."""
    mine = StaffSession.objects.filter(user__username=username)
    is_open = list(mine.filter(ended_at=None).order_by("-seen_at"))
    return is_open + list(mine.exclude(ended_at=None).order_by("-ended_at")[:20])


def end_own(actor: Actor, session_id: int) -> None:
    """End one of the actor's own sessions. Raises NotFound `SESSION_NOT_FOUND` for any other."""
    found = StaffSession.objects.filter(pk=session_id, user__username=actor.username)
    if not _end(found, actor.username, "user"):
        raise _gone()
    record(actor, "session.end", "user", actor.username, detail={"session": session_id})


def end_own_others(actor: Actor, key: str) -> int:
    """End all of the actor's sessions but the present one."""
    count = end_all(accounts.find(actor.username), actor.username, "user", but=key)
    record(actor, "session.end", "user", actor.username, detail={"sessions": count})
    return count


def force_out(actor: Actor, username: str, reason: str, session_id: int | None = None) -> int:
    """End somebody's sessions (or one of them): she is out at her next request. Needs `city:session:end`."""
    actor.require(END)
    user = accounts.find(username)
    found = StaffSession.objects.filter(user=user)
    count = _end(found.filter(pk=session_id) if session_id else found, actor.username, "forced")
    if session_id and not count:
        raise _gone()
    record(actor, "session.force_out", "user", username, detail={"sessions": count, "reason": reason})
    return count


def sweep(idle_seconds: int, absolute_seconds: int) -> int:
    """Close what is past its time though nobody came back, and drop Django's expired rows."""
    now = clock.now()
    stale = StaffSession.objects.filter(ended_at=None).filter(
        Q(seen_at__lt=now - timedelta(seconds=idle_seconds + 120))
        | Q(began_at__lt=now - timedelta(seconds=absolute_seconds))
    )
    count = _end(stale, "system:sessions", "expired")
    Session.objects.filter(expire_date__lt=now).delete()
    return count


# --- inside ---


def _end(sessions: QuerySet[StaffSession], by: str, why: str) -> int:
    rows = list(sessions.filter(ended_at=None).select_for_update().values_list("pk", "key"))
    Session.objects.filter(session_key__in=[key for _, key in rows]).delete()
    return StaffSession.objects.filter(pk__in=[pk for pk, _ in rows]).update(
        key="", ended_at=clock.now(), ended_by=by, ended_why=why
    )


def _gone() -> NotFound:
    return NotFound("SESSION_NOT_FOUND", "没有这个登录，或它已经结束。", action="请刷新页面。")

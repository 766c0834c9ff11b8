"""What the shell needs on every page: who acts and where, the navigation, the bell, the city's working
day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from xueka.entrypoints.design import formats, nav
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.sessions import StaffRequest


@dataclass(frozen=True, slots=True)
class Workday:
    """The city's day for the top line. `kind`: workday, weekend, holiday, make-up or unknown."""

    day: str
    kind: str
    note: str
    title: str


def workday() -> Workday:
    """Today: 9月14日 周六 · 调休上班. A year without its notice is said to be unknown, never guessed."""
    today = clock.today()
    day = formats.short_day(today)
    calendar = Calendar.default()
    try:
        working, label = calendar.is_working_day(today), calendar.day_label(today)
    except XuekaError as error:
        return Workday(day, "unknown", "放假安排未载入", error.message)
    if working:
        kind = "workday" if today.weekday() < 5 else "make-up"
    else:
        kind = "weekend" if today.weekday() >= 5 and label == "周末" else "holiday"
    following = calendar.missing_next_year(today)
    title = f"{formats.day(today)}，{label}"
    if following:
        title += f"。{following} 年放假安排尚未载入"
    return Workday(day, kind, "" if kind == "workday" else label, title)


@dataclass(frozen=True, slots=True)
class OtherGrant:
    """Another role or scope that the same person may act in."""

    id: int
    label: str


class Shell:
    """Everything is found only when a template asks for it, so that pages without the shell cost nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = cast(StaffRequest, request)  # the sessions middleware has been here

    @property
    def city(self) -> str:
        return getattr(settings, "XUEKA_CITY", "北京市中小学学生卡")

    @cached_property
    def actor(self) -> Any:
        return getattr(self._request, "actor", None)

    @cached_property
    def portal(self) -> nav.Portal | None:
        return nav.portal_for(self.actor.role) if self.actor else None

    @cached_property
    def groups(self) -> list[nav.DrawnGroup]:
        return nav.draw(self.portal, self._request, self.actor.may) if self.portal else []

    @property
    def notices_known(self) -> bool:
        return bool(self.portal and self.portal.notices)

    @cached_property
    def notices(self) -> Sequence[nav.Notice]:
        return list(self.portal.notices(self._request)) if self.portal and self.portal.notices else []

    @property
    def role_label(self) -> str:
        return ROLES[self.actor.role].label

    @cached_property
    def scope_label(self) -> str:
        return nav.scope_name(self.actor.scope)

    @cached_property
    def other_grants(self) -> list[OtherGrant]:
        found = getattr(self._request, "grants", ())
        present = getattr(self._request, "grant", None)
        return [OtherGrant(g.id, _grant_label(g)) for g in found if g != present]

    @cached_property
    def workday(self) -> Workday:
        return workday()

    home_url = property(lambda self: reverse("home"))
    search_url = property(lambda self: reverse("search"))
    switch_url = property(lambda self: reverse("switch_grant"))
    password_url = property(lambda self: reverse("password"))
    logout_url = property(lambda self: reverse("logout"))

    @property
    def relogin_url(self) -> str:
        return f"{reverse('login')}?{urlencode({'next': reverse('logged_in_again')})}"


def _grant_label(grant: Any) -> str:
    return f"{ROLES[grant.role].label} · {nav.scope_name(grant.scope)}"

"""What the shell shows around a page, given as data by each portal.

A portal is a Django application with a module `nav` that calls `register(Portal(...))` once; the module is
loaded
when Django starts. Navigation is named after work, never after tables.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from xueka.kernel.districts import DISTRICTS
from xueka.platform.identity.scope import Scope
from xueka.platform.identity.sessions import StaffRequest


@dataclass(frozen=True, slots=True)
class NavItem:
    """A kind of work. `badge(request)` gives the number that waits; it must be one indexed count."""

    label: str
    url_name: str
    icon: str
    permission: str = ""
    badge: Callable[[StaffRequest], int] | None = None


@dataclass(frozen=True, slots=True)
class NavGroup:
    label: str
    items: Sequence[NavItem]


@dataclass(frozen=True, slots=True)
class Notice:
    """A line behind the bell."""

    text: str
    url: str
    at: datetime | None = None
    tone: str = "wait"


@dataclass(frozen=True, slots=True)
class Portal:
    """What one kind of role sees. `home` is the URL name of its first page; the first item should lead
    there.
    """

    code: str
    title: str
    home: str
    roles: frozenset[str]
    groups: Sequence[NavGroup]
    notices: Callable[[StaffRequest], Sequence[Notice]] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A finding of the search box. `exact` means that the query is this object's own number."""

    kind: str
    title: str
    url: str
    detail: str = ""
    exact: bool = False


ScopeNamer = Callable[[Scope], str | None]
SearchProvider = Callable[[StaffRequest, str], Iterable[Hit]]

_portals: dict[str, Portal] = {}
_providers: list[SearchProvider] = []
_namers: list[ScopeNamer] = []


def register(portal: Portal) -> None:
    if portal.code in _portals:
        raise ValueError(f"portal {portal.code} is registered twice")
    _portals[portal.code] = portal


def register_search(provider: SearchProvider) -> None:
    """`provider(request, query)` yields the hits that this person may see, best first, at most about ten."""
    _providers.append(provider)


def portals() -> Sequence[Portal]:
    return tuple(_portals.values())


def portal_for(role: str) -> Portal | None:
    return next((p for p in _portals.values() if role in p.roles), None)


def register_scope_namer(namer: ScopeNamer) -> None:
    """`namer(scope)` gives the name of a school (or None); levels and districts are known without it."""
    _namers.append(namer)


def scope_name(scope: Scope) -> str:
    """全市, 东城区, or a school's name."""
    if scope.level in ("system", "city"):
        return "全市"
    if scope.level == "district":
        return DISTRICTS.get(scope.district, scope.district)
    return next((name for namer in _namers if (name := namer(scope))), scope.school)


def search(request: StaffRequest, query: str) -> list[Hit]:
    return [hit for provider in _providers for hit in provider(request, query)]


@dataclass(frozen=True, slots=True)
class DrawnItem:
    label: str
    url: str
    icon: str
    active: bool
    waiting: int


@dataclass(frozen=True, slots=True)
class DrawnGroup:
    label: str
    items: Sequence[DrawnItem]


def draw(portal: Portal, request: StaffRequest, may: Callable[[str], bool]) -> list[DrawnGroup]:
    """The portal's navigation for one request: what the person may do, where she is, how much waits."""
    allowed = [
        (group, item, reverse(item.url_name))
        for group in portal.groups
        for item in group.items
        if not item.permission or may(item.permission)
    ]
    here = max((url for _, _, url in allowed if request.path.startswith(url)), key=len, default="")
    drawn: dict[str, list[DrawnItem]] = {}
    for group, item, url in allowed:
        waiting = item.badge(request) if item.badge else 0
        drawn.setdefault(group.label, []).append(DrawnItem(item.label, url, item.icon, url == here, waiting))
    return [DrawnGroup(label, items) for label, items in drawn.items()]

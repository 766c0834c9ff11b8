"""Reads on units, grants, modules and credentials. They are the city's affair: other scopes see nothing."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate

from xueka.contexts.keys import api as keys
from xueka.contexts.multiapp.domain.grants import KEY_USAGES
from xueka.contexts.multiapp.domain.transitions import HOLDING, OPEN, PROPOSED
from xueka.contexts.multiapp.models import (
    ApiCall,
    Area,
    CardGrant,
    Credential,
    HotCard,
    Pack,
    Report,
    Risk,
    Sam,
    StockTake,
    Unit,
)
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def units(scope: Scope) -> QuerySet[Unit]:
    return Unit.objects.visible_to(scope)


def unit(scope: Scope, code: str) -> Unit:
    """Raises NotFound `UNIT_NOT_FOUND`."""
    found = units(scope).filter(code=code.strip().upper()).first()
    if found is None:
        raise NotFound("UNIT_NOT_FOUND", "没有这个单位。", found=code[:16])
    return found


def grants(scope: Scope) -> QuerySet[CardGrant]:
    """All grants, newest first."""
    return CardGrant.objects.visible_to(scope).select_related("unit", "area__kind")


def grant(scope: Scope, number: str) -> CardGrant:
    """Raises NotFound `CARD_GRANT_NOT_FOUND`."""
    found = grants(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("CARD_GRANT_NOT_FOUND", "没有这项授权。", found=number[:20])
    return found


def waiting_grants(scope: Scope) -> int:
    """How many grants or changes wait for a second person."""
    rows = CardGrant.objects.visible_to(scope)
    return rows.filter(state=PROPOSED).count() + rows.exclude(asked="").count()


def credentials(scope: Scope) -> QuerySet[Credential]:
    return Credential.objects.visible_to(scope).select_related("unit")


def credential(scope: Scope, key_id: str) -> Credential:
    """Raises NotFound `CREDENTIAL_NOT_FOUND`."""
    found = credentials(scope).filter(key_id=key_id.strip().upper()).first()
    if found is None:
        raise NotFound("CREDENTIAL_NOT_FOUND", "没有这个凭证。", found=key_id[:24])
    return found


@dataclass(frozen=True, slots=True)
class Room:
    """An area with the grants that hold it; `used` is the most that any one card gives away of it, `asked`
    what a grant that waits would add to that.
    """

    area: Area
    grants: list[CardGrant]
    used: int
    asked: int


def rooms(scope: Scope, kind: str) -> list[Room]:
    """The directories of a card kind, in the order of the profile, with what is granted of each."""
    found = []
    holding = grants(scope).filter(state__in=HOLDING)
    for area in Area.objects.visible_to(scope).filter(kind_id=kind, in_profile=True).order_by("id"):
        mine = list(holding.filter(area=area).order_by("id"))
        used = max((each.size for each in mine if each.state != PROPOSED), default=0)
        most = max((each.size for each in mine), default=0)
        found.append(Room(area, mine, used, most - used))
    return found


def shells(scope: Scope) -> QuerySet[Area]:
    """The directories that can be granted, by card kind."""
    rows = Area.objects.visible_to(scope).filter(is_shell=True, in_profile=True)
    return rows.select_related("kind").order_by("kind_id", "id")


def grantable_keys(scope: Scope) -> list[tuple[str, str, str]]:
    """(label, title, usage) of every key that may be granted for some directory, by label."""
    if scope.level not in ("system", "city"):
        return []
    shells_ = set(shells(scope).values_list("code", flat=True))
    rows = keys.keys(scope).filter(held=True, drill=False, level="master", kind__in=list(KEY_USAGES))
    return [
        (each.label, each.title, each.kind)
        for each in rows.order_by("label")
        if each.kind != "maintain" or each.application in shells_
    ]


def schools_of(scope: Scope, code: str) -> list[registry.School]:
    """The schools that a unit serves, by name; none of one that serves the whole city, or of a stranger."""
    found = units(scope).filter(code=code.strip().upper(), whole_city=False).first()
    places = found.places.select_related("school").order_by("school__name") if found else []
    return [each.school for each in places]


def packs(scope: Scope, grant_: CardGrant) -> QuerySet[Pack]:
    """The packs of a grant that the scope sees, newest first."""
    rows = Pack.objects.select_related("file").filter(grant=grant_)
    return rows if scope.level in ("system", "city") else rows.none()


def last_reports(scope: Scope) -> dict[int, Report]:
    """unit id → what it last said of its hot-list."""
    if scope.level not in ("system", "city"):
        return {}
    rows = Report.objects.select_related("unit").order_by("unit_id", "-id").distinct("unit_id")
    return {row.unit_id: row for row in rows}


def sams(scope: Scope) -> QuerySet[Sam]:
    return Sam.objects.visible_to(scope).select_related("unit")


def sam(scope: Scope, serial: str) -> Sam:
    """One module with its keys and its chain of custody. Raises NotFound `SAM_NOT_FOUND`."""
    rows = sams(scope).prefetch_related("keys__version", "custody__from_unit", "custody__to_unit", "risks")
    found = rows.filter(serial=serial.strip().upper()).first()
    if found is None:
        raise NotFound("SAM_NOT_FOUND", "没有这个安全模块。", found=serial[:32])
    return found


def risks(scope: Scope) -> QuerySet[Risk]:
    return Risk.objects.visible_to(scope).select_related("sam")


def open_risks(scope: Scope) -> int:
    return risks(scope).filter(state=OPEN).count()


def risk(scope: Scope, number: str) -> Risk:
    """Raises NotFound `RISK_NOT_FOUND`."""
    found = risks(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("RISK_NOT_FOUND", "没有这项风险。", found=number[:20])
    return found


def stock_takes(scope: Scope) -> QuerySet[StockTake]:
    return StockTake.objects.visible_to(scope).select_related("holder")


def stock_take(scope: Scope, number: str) -> StockTake:
    """Raises NotFound `STOCK_TAKE_NOT_FOUND`."""
    found = stock_takes(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("STOCK_TAKE_NOT_FOUND", "没有这次盘点。", found=number[:20])
    return found


@dataclass(frozen=True, slots=True)
class ListFigures:
    """What stands on the hot-list: cards by reason."""

    by_reason: dict[str, int]
    total: int


def list_figures(scope: Scope) -> ListFigures:
    """The city's figures of the list; nothing for other scopes."""
    if scope.level not in ("system", "city"):
        return ListFigures({}, 0)
    rows = HotCard.objects.exclude(state="").order_by().values_list("state").annotate(n=Count("pk"))
    found = dict(rows)
    return ListFigures(found, sum(found.values()))


def calls_by_day(scope: Scope, unit_: Unit, days: int = 14) -> list[tuple[date, int, int]]:
    """(day, calls, refused) of a unit's last days that have any, newest first; today's are counted live."""
    if scope.level not in ("system", "city"):
        return []
    since = clock.now() - timedelta(days=days)
    rows = (
        ApiCall.objects.filter(credential__unit=unit_, at__gte=since)
        .annotate(day=TruncDate("at"))
        .order_by()
        .values_list("day")
        .annotate(n=Count("id"), wrong=Count("id", filter=Q(status__gte=400)))
    )
    return sorted(((day, n, wrong) for day, n, wrong in rows), reverse=True)

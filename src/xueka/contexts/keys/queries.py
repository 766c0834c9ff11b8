"""Reads on keys. They are the city's affair: other scopes see nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Count, Prefetch, QuerySet, Sum
from django.db.models.functions import TruncDate

from xueka.contexts.cards import api as cards
from xueka.contexts.keys.domain.transitions import ACTIVE, ASKED, DESTROYED, PLANNED, SENT
from xueka.contexts.keys.domain.vocabulary import WRAP
from xueka.contexts.keys.models import (
    FILES,
    Ceremony,
    FieldRotation,
    Key,
    KeyChange,
    KeyDelivery,
    KeyPart,
    KeyUse,
    KeyVersion,
    Rewrap,
)
from xueka.contexts.keys.services import components, deriving, field_keys, stores
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.identity import accounts
from xueka.platform.identity.scope import Scope


def keys(scope: Scope) -> QuerySet[Key]:
    """All keys by name; `versions.all()` of each is there already, the newest first."""
    above = ("key", "wrapped_by__key", "derived_from__key")
    versions = KeyVersion.objects.select_related(*above).order_by("-number")
    return (
        Key.objects.visible_to(scope)
        .select_related("parent", "source")
        .prefetch_related(Prefetch("versions", versions))
    )


def key(scope: Scope, label: str) -> Key:
    """One key with its versions. Raises NotFound `KEY_NOT_FOUND`."""
    found = keys(scope).filter(label=label).first()
    if found is None:
        raise NotFound("KEY_NOT_FOUND", "没有登记这个密钥。", found=label[:80])
    return found


def version(scope: Scope, label: str, number: int) -> KeyVersion:
    """Raises NotFound `KEY_VERSION_NOT_FOUND`."""
    rows = KeyVersion.objects.visible_to(scope).select_related(
        "key", "wrapped_by__key", "derived_from__key", "change", "ceremony", "removal"
    )
    found = rows.filter(key__label=label, number=number).first()
    if found is None:
        raise NotFound("KEY_VERSION_NOT_FOUND", "没有这个密钥版本。", found=f"{label[:80]} {number}")
    return found


def changes(scope: Scope) -> QuerySet[KeyChange]:
    """All changes, newest first."""
    return KeyChange.objects.visible_to(scope)


def change(scope: Scope, number: str) -> KeyChange:
    """Raises NotFound `KEY_CHANGE_NOT_FOUND`."""
    found = changes(scope).filter(number=number).first()
    if found is None:
        raise NotFound("KEY_CHANGE_NOT_FOUND", "没有这项密钥变更。", found=number[:20])
    return found


def waiting(scope: Scope) -> QuerySet[KeyChange]:
    """What waits for a second person, the oldest first."""
    return changes(scope).filter(state=ASKED).order_by("id")


def parts(scope: Scope, found: KeyChange) -> list[tuple[KeyPart, bool]]:
    """Who brings a component, and whether it is there (a restart of the machine forgets it)."""
    if scope.level not in ("system", "city"):
        return []
    gone = set(components.missing(found))
    return [(part, part.person not in gone) for part in found.parts.all()]


def parts_kcv(found: KeyChange) -> str:
    """The check value of what the components make together; empty while one is missing."""
    return components.whole_kcv(found)


def parts_of(scope: Scope, username: str) -> list[KeyChange]:
    """Changes that wait for this person's component."""
    rows = waiting(scope).filter(parts__person=username)
    return [each for each in rows if username in components.missing(each)]


def deliveries(scope: Scope) -> QuerySet[KeyDelivery]:
    """The delivery plan, newest first."""
    return KeyDelivery.objects.visible_to(scope).select_related("version__key", "change")


def delivery(scope: Scope, number: str) -> KeyDelivery:
    """Raises NotFound `KEY_DELIVERY_NOT_FOUND`."""
    found = deliveries(scope).filter(number=number).first()
    if found is None:
        raise NotFound("KEY_DELIVERY_NOT_FOUND", "没有这项密钥交付。", found=number[:20])
    return found


def late_deliveries(rows: QuerySet[KeyDelivery]) -> QuerySet[KeyDelivery]:
    """Those of them that should have arrived."""
    return rows.filter(state__in=[PLANNED, SENT], due_on__lt=clock.today())


def custodians() -> list[tuple[str, str]]:
    """(user name, name) of everybody who may bring a component."""
    rows = accounts.holding(accounts.in_state(accounts.user_rows(), "active"), "key_custodian")
    return [(each.username, each.name) for each in rows.order_by("username")]


def export_keys(scope: Scope) -> list[Key]:
    """Keys that another one may leave under."""
    rows = Key.objects.visible_to(scope).filter(kind__in=["partner", "batch"], versions__state=ACTIVE)
    return [key for key in rows.order_by("label") if WRAP in key.usages]


def ceremonies(scope: Scope) -> QuerySet[Ceremony]:
    return Ceremony.objects.visible_to(scope)


def ceremony(scope: Scope, number: str) -> Ceremony:
    """Raises NotFound `CEREMONY_NOT_FOUND`."""
    found = ceremonies(scope).filter(number=number).first()
    if found is None:
        raise NotFound("CEREMONY_NOT_FOUND", "没有这次密钥仪式。", found=number[:20])
    return found


def rewraps(scope: Scope) -> list[tuple[Rewrap, int]]:
    """Open re-wrapping with the number of blocks left."""
    if scope.level not in ("system", "city"):
        return []
    tasks = Rewrap.objects.filter(finished_at=None).select_related("source__key", "target")
    return [(task, KeyVersion.objects.filter(wrapped_by=task.source).count()) for task in tasks]


def field_rotation(scope: Scope) -> FieldRotation | None:
    """The rotation of the field key that is under way."""
    return field_keys.opened() if scope.level in ("system", "city") else None


def uses(scope: Scope) -> QuerySet[KeyUse]:
    """Every use, newest first."""
    rows = KeyUse.objects.select_related("version__key").order_by("-id")
    return rows if scope.level in ("system", "city") else rows.none()


def uses_by_day(scope: Scope, days: int = 30, label: str = "") -> dict[date, tuple[int, int]]:
    """day → (uses, cards) of the last `days` days, days without use included."""
    today = clock.today()
    first = today - timedelta(days=days - 1)
    rows = uses(scope).filter(at__date__gte=first)
    if label:
        rows = rows.filter(version__key__label=label)
    counted = (
        rows.order_by().annotate(day=TruncDate("at")).values("day").annotate(n=Count("id"), c=Sum("cards"))
    )
    known = {row["day"]: (row["n"], row["c"]) for row in counted}
    return {day: known.get(day, (0, 0)) for day in (first + timedelta(days=place) for place in range(days))}


def uses_by_version(scope: Scope) -> dict[int, tuple[int, int]]:
    """version id → (uses, cards) since ever."""
    counted = uses(scope).order_by().values("version").annotate(n=Count("id"), c=Sum("cards"))
    return {row["version"]: (row["n"], row["c"]) for row in counted}


@dataclass(frozen=True, slots=True)
class Exposure:
    """What would be open if a version leaked: the cards that stand under it, counted three ways."""

    total: int
    by_kind: Mapping[str, int] = field(default_factory=dict)
    by_state: Mapping[str, int] = field(default_factory=dict)
    by_district: Mapping[str, int] = field(default_factory=dict)


def subjects(scope: Scope, found: Iterable[KeyVersion]) -> QuerySet[KeyUse]:
    """What these versions were used for, each once: numbers of cards and of batches."""
    rows = uses(scope).filter(version__in=[each.pk for each in found]).order_by()
    return rows.values_list("subject", flat=True).distinct()  # type: ignore[return-value]


def exposure(rows: QuerySet[cards.Card]) -> Exposure:
    """Count cards by kind, state and district; whoever knows which version made which card gives them."""
    rows = rows.order_by()

    def by(name: str) -> dict[str, int]:
        found = rows.values(name).annotate(n=Count("id", distinct=True)).order_by("-n", name)
        return {str(row[name]): row["n"] for row in found}

    total = rows.values("id").distinct().count()
    return Exposure(total, by("kind__name"), by("state"), by("school__district__name"))


def partner_keys(scope: Scope) -> list[Key]:
    """Keys that a key block may lie under on its way to us."""
    return list(Key.objects.visible_to(scope).filter(kind="partner", versions__state=ACTIVE))


def wrapping_keys(scope: Scope) -> list[Key]:
    """What new keys may lie under."""
    return list(Key.objects.visible_to(scope).filter(level__in=["local", "kek"], drill=False))


def below(scope: Scope, found: KeyVersion) -> list[KeyVersion]:
    """Every version that this one opens: derived from it or lying under it, and so on down; by name."""
    return deriving.below(found) if scope.level in ("system", "city") else []


def sources(scope: Scope) -> list[Key]:
    """Masters that others may be derived from."""
    return list(Key.objects.visible_to(scope).filter(level__in=["city", "issuer"], held=True, drill=False))


def closed_stores(found: Iterable[Key]) -> list[str]:
    """The stores of these keys that nobody has opened."""
    names = {each.store for key in found for each in key.versions.all() if each.state != DESTROYED} - {FILES}
    return sorted(name for name in names if not stores.is_open(name))

"""Reading what is known of a card at the transit company. Whoever may see the card may see this."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet

from xueka.contexts.cards import api as cards
from xueka.contexts.transit.domain.transitions import ANSWERED, ASKED, REFUSED, RELEASING, SENT
from xueka.contexts.transit.domain.validity import STANDINGS, standing
from xueka.contexts.transit.models import HOT_LIST, Binding, Block, Extension, HotCard, Paper, Validity
from xueka.contexts.transit.services.common import CODE, partner
from xueka.contexts.transit.services.papers import TELLS
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import NotFound, XuekaError
from xueka.platform.exchange import queries as exchange
from xueka.platform.identity.scope import Scope

SOON = timedelta(days=settings.TRANSIT_SOON_DAYS)
#: Bindings that wait for an answer; within what time it comes, and in how many working days to an extension.
AWAITED = (SENT, RELEASING)
HOT_LISTS_READ = 10
BINDING_ANSWERED_IN, EXTENSION_ANSWERED_IN = timedelta(hours=24), 3


@dataclass(frozen=True, slots=True)
class Known:
    """The last known validity of one card; `old` when it is older than `XUEKA_TRANSIT_FRESH_HOURS`."""

    validity: Validity
    standing: str
    words: str
    old: bool


def connected() -> bool:
    return partner() is not None


def known_of(card_ids: Collection[int]) -> dict[int, Known]:
    """What is known of these cards, by id. The caller has found them in its scope."""
    today, now = clock.today(), clock.now()
    limit = timedelta(hours=settings.TRANSIT_FRESH_HOURS)
    found = {}
    for each in Validity.objects.filter(card__in=list(card_ids)):
        how = standing(each.fare, each.valid_until, today, settings.TRANSIT_SOON_DAYS)
        found[each.card_id] = Known(each, how, STANDINGS[how], now - each.heard_at > limit)
    return found


def binding_rows(scope: Scope) -> QuerySet[Binding]:
    """Bindings of the cards that this scope sees, unordered."""
    return _of_cards(Binding.objects.all(), scope).select_related(
        "card__student__school", "card__school_class"
    )


def bindings_late_before() -> datetime:
    """A question of before this moment should have its answer (docs/interfaces/transit.md §4)."""
    return clock.now() - BINDING_ANSWERED_IN


def extensions_late_before() -> datetime:
    """The same of extensions, in working days (§5); without the notice of the year a week is waited."""
    today = clock.today()
    try:
        calendar = Calendar.default()
        days = (today - timedelta(days=each) for each in range(1, 30))
        last = next(each for each in days if calendar.add_working_days(each, EXTENSION_ANSWERED_IN) < today)
    except XuekaError:
        last = today - timedelta(days=8)
    return datetime.combine(last + timedelta(days=1), time(), clock.SHANGHAI)


def late_bindings(rows: QuerySet[Binding]) -> QuerySet[Binding]:
    return rows.filter(state__in=AWAITED, state_at__lt=bindings_late_before())


def late_extensions(rows: QuerySet[Extension]) -> QuerySet[Extension]:
    return rows.filter(state=ASKED, asked_at__lt=extensions_late_before())


def refused_bindings(scope: Scope) -> int:
    return _of_cards(Binding.objects.filter(state=REFUSED), scope).count()


def binding_of(card_id: int) -> Binding | None:
    return Binding.objects.filter(card=card_id).first()


def block_of(card_id: int) -> Block | None:
    """What the company itself has blocked; None where it has not (any more)."""
    return Block.objects.filter(card=card_id, blocked=True).first()


def block_rows(scope: Scope) -> QuerySet[Block]:
    """Cards in use that the company refuses, of those that this scope sees; unordered."""
    rows = _of_cards(Block.objects.filter(blocked=True, card__state="active"), scope)
    return rows.select_related("card__student__school", "card__school_class")


def open_blocks(scope: Scope) -> int:
    """How many of them nobody has settled."""
    return block_rows(scope).filter(settled_at=None).count()


def extension_rows(scope: Scope) -> QuerySet[Extension]:
    rows = _of_cards(Extension.objects.all(), scope)
    return rows.select_related("card__student__school", "card__school_class")


def extendable_rows(scope: Scope) -> QuerySet[cards.Card]:
    """Active cards with a transit number, for which an extension may be asked; unordered."""
    rows = cards.card_rows(scope).filter(state="active").exclude(transit_number="")
    return rows.select_related("student__school", "school_class", "transit_validity", "transit_binding")


def paper_rows(scope: Scope) -> QuerySet[Paper]:
    """Every paper; the city's affair alone."""
    return Paper.objects.all() if scope.level in ("city", "system") else Paper.objects.none()


def paper(scope: Scope, paper_id: int) -> Paper:
    found = paper_rows(scope).filter(id=paper_id).first()
    if found is None:
        raise NotFound("PAPER_NOT_FOUND", "没有这份往来。")
    return found


def waiting_papers(scope: Scope) -> int:
    return paper_rows(scope).filter(state=ANSWERED).count()


def hot_counts() -> tuple[int, int]:
    """Cards on the hot-list, and those whose last change their gates have not confirmed."""
    return (
        HotCard.objects.exclude(reason="").count(),
        HotCard.objects.filter(~Q(confirmed=F("version"))).count(),
    )


def keys_of_hot_lists(found: Collection[cards.Card]) -> list[str]:
    """The keys of the whole hot-lists on which any of these cards stood, newest first, of the newest
    `HOT_LISTS_READ` whose content is still kept. Nothing else says which cards a list had.
    """
    ever = HotCard.objects.filter(card__in=[each.id for each in found]).values_list("card__number", flat=True)
    marks = [f'"{number}|'.encode() for number in ever]
    if not marks:
        return []
    rows = (
        exchange.outgoing(CODE)
        .filter(kind=TELLS[HOT_LIST], is_void=False)
        .select_related("file")
        .defer("file__content")
    )
    kept = rows.exclude(file=None, envelope=b"")[:HOT_LISTS_READ]
    return [each.stream.key for each in kept if any(mark in exchange.raw(each) for mark in marks)]


def _of_cards(rows: QuerySet, scope: Scope) -> QuerySet:
    return (
        rows
        if scope.level in ("city", "system")
        else rows.filter(card__in=cards.card_rows(scope).values("id"))
    )

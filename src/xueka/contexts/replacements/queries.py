"""Reads on replacements; each takes the reader's scope."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, F, Q, QuerySet

from xueka.contexts.cards.api import Card
from xueka.contexts.replacements.domain import transitions as t
from xueka.contexts.replacements.domain.rules import FOLLOWED_FOR, HOME, WATCHED_BEFORE
from xueka.contexts.replacements.models import Replacement
from xueka.contexts.replacements.services.common import key_begins
from xueka.kernel import clock
from xueka.kernel.calendar import Calendar
from xueka.kernel.errors import NotFound, XuekaError
from xueka.platform.identity.scope import Scope
from xueka.platform.messages import templates
from xueka.platform.messages.models import Message


def rows(scope: Scope) -> QuerySet[Replacement]:
    """Every replacement of a scope that was handed in, unordered, for lists that are paged by key."""
    seen = Replacement.objects.visible_to(scope).exclude(state=t.DRAFT)
    return seen.select_related("student__school", "student__school_class", "kind", "application", "old_card")


def replacement(scope: Scope, number: str) -> Replacement:
    """One by its number; NotFound for strangers too."""
    seen = Replacement.objects.visible_to(scope).select_related(
        "student__school__district", "student__school_class", "kind", "application", "old_card", "order"
    )
    found = seen.filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("REPLACEMENT_NOT_FOUND", "没有这份补卡换卡。", found=number[:32])
    return found


def of_student(scope: Scope, student_id: int) -> list[Replacement]:
    """All that was handed in for a child, and what is being filled in, newest first."""
    seen = Replacement.objects.visible_to(scope).filter(student_id=student_id)
    return list(seen.select_related("kind", "old_card", "order").order_by("-id"))


def open_of(scope: Scope, student_id: int) -> list[Replacement]:
    """Those that are not over, newest first."""
    return [each for each in of_student(scope, student_id) if not t.REPLACEMENT.state(each.state).final]


def followed_of(scope: Scope, student_id: int) -> list[Replacement]:
    """Those whose card a family still asks for: what is not over, then what arrived within FOLLOWED_FOR."""
    since = clock.now() - FOLLOWED_FOR
    seen = of_student(scope, student_id)
    arrived = [each for each in seen if each.delivered_at and each.delivered_at >= since]
    going = [each for each in seen if not t.REPLACEMENT.state(each.state).final]
    return going + [each for each in arrived if each not in going]


def of_application(scope: Scope, application_id: int) -> Replacement | None:
    """The replacement for which this application was opened, if a family's is behind it."""
    return Replacement.objects.visible_to(scope).filter(application=application_id).first()


def messages_of_card(scope: Scope, card: Card) -> QuerySet[Message]:
    """What families were sent of a card's replacement: of the one that it came from, and of the one by which
    another took its place. Newest first. The caller may read messages.
    """
    seen = Replacement.objects.visible_to(scope)
    meant = Q(pk__in=[])
    for id_ in seen.filter(Q(old_card=card) | Q(application=card.application_id)).values_list(
        "id", flat=True
    ):
        for code in {each.code for each in templates.all_versions()}:
            meant |= Q(key__startswith=key_begins(code, id_))
    return Message.objects.filter(meant).order_by("-id")


def parcels(scope: Scope) -> QuerySet[Replacement]:
    """What waits to be posted home, and what is with the carrier."""
    return rows(scope).filter(delivery=HOME, state__in=[t.TO_POST, t.ON_THE_WAY], application__isnull=False)


def watch_from(today: date) -> date:
    """Promised days up to this one are watched: two working days ahead."""
    try:
        return Calendar.default().add_working_days(today, WATCHED_BEFORE)
    except XuekaError:
        return today


def watched(scope: Scope, today: date | None = None) -> QuerySet[Replacement]:
    """Promises that run out within two working days or have run out, and the card is not there yet."""
    day = today or clock.today()
    late = Q(promised_on__lte=watch_from(day), delivered_at=None, state__in=t.PROMISED)
    return rows(scope).filter(late)


@dataclass(frozen=True, slots=True)
class Kept:
    """Promises whose day came in a span: how many in all, kept, not kept; and those still open and late."""

    promised: int
    kept: int
    broken: int
    open_late: int


def promises_kept(scope: Scope, first: date, last: date) -> Kept:
    """Of the promises for the days `first` to `last`: delivered on time or not (the card where the family
    chose to have it). Those that were called off count nowhere.
    """
    made = Replacement.objects.visible_to(scope).filter(promised_on__range=(first, last))
    made = made.filter(state__in=[*t.PROMISED, t.HANDED_OUT])
    counted = made.aggregate(
        all=Count("id"),
        kept=Count("id", filter=Q(delivered_at__date__lte=F("promised_on"))),
        late=Count("id", filter=Q(delivered_at__date__gt=F("promised_on"))),
        open_late=Count("id", filter=Q(delivered_at=None, promised_on__lt=clock.today())),
    )
    return Kept(counted["all"], counted["kept"], counted["late"], counted["open_late"])

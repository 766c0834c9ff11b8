"""Reads on applications and cards; every one takes the reader's scope. Lists are paged by key."""

from collections.abc import Collection, Iterable, Sequence

from django.db.models import Count, Exists, OuterRef, QuerySet

from xueka.contexts.cards.domain import states as s
from xueka.contexts.cards.domain.rules import ENTITLED
from xueka.contexts.cards.finding import find_applications, find_cards, numbered_cards
from xueka.contexts.cards.models import Application, Card, CardAccount, Photo
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope

_PLACE = ("school__district", "school_class")
_OF_APPLICATION = ("kind", "account__student", "photo", "old_card", *_PLACE)
_OF_CARD = ("kind", "student", "account", "application", *_PLACE)

#: School, class, name: the order in which cards are made, boxed and handed out.
_BY_CLASS = ("school__code", "school_class__stage", "school_class__grade", "school_class__name")


def applications(
    scope: Scope,
    *,
    states: Sequence[str] = (),
    kind: str = "",
    district: str = "",
    school: str = "",
    class_id: int | None = None,
    search: str = "",
    doubtful: bool | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Application]:
    """Oldest first; `after` is the id of the last one seen. `search` as in `find_applications`."""
    found = _in_place(Application.objects.visible_to(scope), district, school, class_id)
    if states:
        found = found.filter(state__in=states)
    if kind:
        found = found.filter(kind_id=kind)
    if doubtful is not None:
        found = found.exclude(doubts=[]) if doubtful else found.filter(doubts=[])
    if search := search.strip():
        found = find_applications(found, search)
    if after is not None:
        found = found.filter(id__gt=after)
    return list(found.select_related(*_OF_APPLICATION).order_by("id")[:limit])


def application(scope: Scope, number: str | int) -> Application:
    """One application by its number or id; NotFound for strangers too."""
    by = {"id": number} if isinstance(number, int) else {"number": number.strip().upper()}
    found = Application.objects.visible_to(scope).select_related(*_OF_APPLICATION).filter(**by).first()
    if found is None:
        raise NotFound("APPLICATION_NOT_FOUND", "没有这份申领。", found=number)
    return found


def applications_by_id(scope: Scope, ids: Collection[int]) -> list[Application]:
    """Those of the ids that are visible, by school and class."""
    found = Application.objects.visible_to(scope).filter(id__in=ids).select_related(*_OF_APPLICATION)
    return list(found.order_by(*_BY_CLASS, "account__student__sort_key", "id"))


def accepted_applications(
    scope: Scope, kind: str, *, district: str = "", school: str = "", limit: int | None = None
) -> list[Application]:
    """What waits to be made, in packing order."""
    found = _in_place(Application.objects.visible_to(scope), district, school, None)
    found = found.filter(state=s.ACCEPTED, kind_id=kind).select_related(*_OF_APPLICATION)
    return list(found.order_by(*_BY_CLASS, "account__student__sort_key", "id")[:limit])


def application_counts(scope: Scope, *, kind: str = "", states: Collection[str] = ()) -> dict[str, int]:
    """How many applications are in each state that occurs; of `states` only, where they are named.

    Pages name them: what is closed is counted in millions.
    """
    return _counts(Application.objects.visible_to(scope), kind, states)


def cards(
    scope: Scope,
    *,
    states: Sequence[str] = (),
    kind: str = "",
    district: str = "",
    school: str = "",
    class_id: int | None = None,
    search: str = "",
    after: int | None = None,
    limit: int = 50,
) -> list[Card]:
    """Oldest first, paged as `applications`. `search` as in `find_cards`."""
    found = _in_place(Card.objects.visible_to(scope), district, school, class_id)
    if states:
        found = found.filter(state__in=states)
    if kind:
        found = found.filter(kind_id=kind)
    if search := search.strip():
        found = find_cards(found, search)
    if after is not None:
        found = found.filter(id__gt=after)
    return list(found.select_related(*_OF_CARD).order_by("id")[:limit])


def cards_numbered(scope: Scope, text: str) -> list[Card]:
    """Cards that bear this number, whichever of theirs it is."""
    found = Card.objects.visible_to(scope).filter(id__in=numbered_cards(text))
    return list(found.select_related(*_OF_CARD).order_by("id"))


def card(scope: Scope, number: str | int) -> Card:
    """One card by its number or id; NotFound for strangers too."""
    by = {"id": number} if isinstance(number, int) else {"number": number.strip()}
    found = Card.objects.visible_to(scope).select_related(*_OF_CARD).filter(**by).first()
    if found is None:
        raise NotFound("CARD_NOT_FOUND", "没有这张卡。", found=number)
    return found


def card_counts(scope: Scope, *, kind: str = "", states: Collection[str] = ()) -> dict[str, int]:
    """How many cards are in each state that occurs; of `states` only, where they are named."""
    return _counts(Card.objects.visible_to(scope), kind, states)


def cards_to_pack(scope: Scope, card_ids: Collection[int] | None = None) -> list[Card]:
    """Made cards that lie in no box, by school, class and name: the order in which they go into boxes."""
    found = Card.objects.visible_to(scope).filter(state=s.MADE)
    if card_ids is not None:
        found = found.filter(id__in=card_ids)
    ordered = found.order_by(*_BY_CLASS, "student__sort_key", "id")
    return list(ordered.select_related("student", *_PLACE))


def card_ids_by_number(numbers: Iterable[str]) -> dict[str, int]:
    """The ids of those numbers that are cards, whoever's they are: a scanner reads what lies before it."""
    return dict(Card.objects.filter(number__in=list(numbers)).values_list("number", "id"))


def without_card(
    scope: Scope,
    kind: str,
    *,
    school: str = "",
    class_id: int | None = None,
) -> QuerySet[registry.Student]:
    """Students entitled to a card of the kind who have none and none on its way, by class and name."""
    live = Card.objects.filter(student=OuterRef("id"), kind_id=kind, state__in=s.LIVE)
    underway = Application.objects.filter(account__student=OuterRef("id"), kind_id=kind).exclude(
        state__in=s.CLOSED_APPLICATION
    )
    entitled = registry.Student.objects.visible_to(scope).filter(status__in=ENTITLED)
    found = _in_place(entitled.filter(~Exists(live), ~Exists(underway)), "", school, class_id)
    return found.select_related("school", "school_class").order_by(*_BY_CLASS, "sort_key", "id")


def standing_alone(found: Iterable[Card]) -> set[int]:
    """Ids of live cards whose kind may only be used together with another that the student has not active."""
    pairs = {card.id: card for card in found if card.state == s.ACTIVE and card.kind.coupled_with_id}
    partners = set(
        Card.objects.filter(
            student__in=[card.student_id for card in pairs.values()], state=s.ACTIVE
        ).values_list("student_id", "kind_id")
    )
    return {
        card.id for card in pairs.values() if (card.student_id, card.kind.coupled_with_id) not in partners
    }


def latest_photos(scope: Scope, student_ids: Collection[int]) -> dict[int, Photo]:
    """The photo on file of each student that has one."""
    found = Photo.objects.visible_to(scope).filter(student_id__in=student_ids)
    return {photo.student_id: photo for photo in found.order_by("student_id", "-id").distinct("student_id")}


def account(scope: Scope, education_id: str) -> CardAccount:
    """A student's account; NotFound for strangers too."""
    found = CardAccount.objects.visible_to(scope).select_related("student__school", "student__school_class")
    account_ = found.filter(student__education_id=education_id.strip()).first()
    if account_ is None:
        raise NotFound("ACCOUNT_NOT_FOUND", "该学生还没有卡账户。", found=education_id)
    return account_


def _in_place(query: QuerySet, district: str, school: str, class_id: int | None) -> QuerySet:
    if district:
        query = query.filter(school__district_id=district)
    if school:
        query = query.filter(school__code=school)
    return query.filter(school_class_id=class_id) if class_id is not None else query


def _counts(query: QuerySet, kind: str, states: Collection[str]) -> dict[str, int]:
    if states:
        query = query.filter(state__in=list(states))
    if kind:
        query = query.filter(kind_id=kind)
    return dict(query.order_by().values_list("state").annotate(count=Count("id")))

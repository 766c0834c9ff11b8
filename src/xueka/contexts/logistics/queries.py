"""Reads on deliveries, boxes and discrepancies; each takes the reader's scope."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from xueka.contexts.logistics.models import Box, BoxCard, Delivery, Discrepancy
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import NotFound
from xueka.platform.identity.scope import Scope


def deliveries(
    scope: Scope,
    *,
    states: tuple[str, ...] = (),
    search: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Newest first, paged by id (`before`); each carries box_total, card_total and boxes_open."""
    found: QuerySet[Delivery] = Delivery.objects.visible_to(scope).select_related("school__district")
    if states:
        found = found.filter(state__in=states)
    if search:
        found = find_deliveries(found, search)
    if before is not None:
        found = found.filter(id__lt=before)
    return list(
        found.annotate(
            box_total=Count("boxes", distinct=True),
            card_total=Count("boxes__contents"),
            boxes_open=Count("boxes", distinct=True, filter=Q(boxes__state="in_transit")),
        ).order_by("-id")[:limit]
    )


def find_deliveries(rows: QuerySet[Delivery], text: str) -> QuerySet[Delivery]:
    """Deliveries with this number or waybill, or to a school whose name holds the text."""
    text = text.strip()
    if text.isascii():
        return rows.filter(Q(number=text.upper()) | Q(waybill__in=[text, text.upper()]))
    return rows.filter(school__in=registry.School.objects.filter(name__contains=text).values("id"))


def delivery_rows(scope: Scope) -> QuerySet[Delivery]:
    """Every delivery of a scope with its school, unordered, for lists that are paged by key."""
    return Delivery.objects.visible_to(scope).select_related("school__district")


def delivery(scope: Scope, number: str) -> Delivery:
    """One delivery by its number; NotFound for strangers too."""
    found = (
        Delivery.objects.visible_to(scope).select_related("school__district").filter(number=number).first()
    )
    if found is None:
        raise NotFound("DELIVERY_NOT_FOUND", "没有这张配送单。", found=number)
    return found


def boxes_of(delivery_: Delivery) -> QuerySet[Box]:
    return delivery_.boxes.select_related("school_class").order_by("number")


def boxes(scope: Scope, *, states: tuple[str, ...] = (), limit: int = 200) -> list[Box]:
    """Boxes in these states, oldest first."""
    found = Box.objects.visible_to(scope).select_related("delivery", "school__district", "school_class")
    return list((found.filter(state__in=states) if states else found).order_by("id")[:limit])


def box(scope: Scope, number: str) -> Box:
    """One box by its number; NotFound for strangers too."""
    found = (
        Box.objects.visible_to(scope)
        .select_related("delivery", "school__district", "school_class")
        .filter(number=number.strip())
        .first()
    )
    if found is None:
        raise NotFound(
            "BOX_NOT_FOUND", "没有这个卡箱。", found=number, action="请核对箱签上的箱号（以 XH 开头）。"
        )
    return found


def contents(box_: Box) -> list[BoxCard]:
    """Every card that lies or lay in the box, in packing order."""
    return list(box_.contents.select_related("card__student").order_by("position"))


def place_of(scope: Scope, card_id: int) -> BoxCard | None:
    """The box in which a card lies now, or lay last; None where the scope does not see that box."""
    return (
        BoxCard.objects.filter(card_id=card_id, box__in=Box.objects.visible_to(scope))
        .select_related("box__delivery")
        .order_by("-is_here", "-id")
        .first()
    )


def discrepancies(
    scope: Scope, *, state: str = "open", after: int | None = None, limit: int = 100
) -> list[Discrepancy]:
    """Differences found on receipt, oldest first."""
    found = Discrepancy.objects.filter(
        scope.filter(district="box__school__district_id", school="box__school__code"), state=state
    )
    if after is not None:
        found = found.filter(id__gt=after)
    return list(
        found.select_related("box__school__district", "box__delivery", "card__student").order_by("id")[:limit]
    )


def discrepancies_of(box_: Box) -> list[Discrepancy]:
    """Every difference found on receipt of a box, open or not, oldest first."""
    return list(box_.discrepancies.select_related("card__student").order_by("id"))


@dataclass(frozen=True, slots=True)
class Counts:
    """Boxes on the road, cards in them, and open discrepancies, in a scope."""

    boxes_in_transit: int
    cards_in_transit: int
    discrepancies_open: int


def open_discrepancies(scope: Scope) -> int:
    """How many differences wait for the city."""
    inside = scope.filter(district="box__school__district_id", school="box__school__code")
    return Discrepancy.objects.filter(inside, state="open").count()


def counts(scope: Scope) -> Counts:
    """What is on the road and what is in doubt."""
    road = Box.objects.visible_to(scope).filter(state="in_transit")
    on_board = BoxCard.objects.filter(box__in=road, is_here=True).count()
    return Counts(road.count(), on_board, open_discrepancies(scope))

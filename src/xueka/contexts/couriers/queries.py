"""Reads on shipments; each takes the reader's scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When

from xueka.contexts.cards.api import Card
from xueka.contexts.couriers.domain import rules
from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain import transitions as t
from xueka.contexts.couriers.models import Custody, Problem, Shipment, ShipmentCard, TrackingEvent
from xueka.contexts.logistics import api as logistics
from xueka.kernel import clock
from xueka.kernel.errors import NotFound
from xueka.platform.history import queries as history
from xueka.platform.identity.scope import Scope


def rows(scope: Scope) -> QuerySet[Shipment]:
    """Every shipment of a scope, unordered, for lists that are paged by key."""
    return Shipment.objects.visible_to(scope).select_related("school__district", "delivery", "replacement")


def shipment(scope: Scope, number: str) -> Shipment:
    """One by its number; NotFound for strangers too."""
    found = rows(scope).filter(number=number.strip().upper()).first()
    if found is None:
        raise NotFound("SHIPMENT_NOT_FOUND", "没有这个运件。", found=number[:32])
    return found


def found(rows_: QuerySet[Shipment], text: str) -> QuerySet[Shipment]:
    """Those with this number, waybill, delivery, replacement or card, or to a school whose name holds it."""
    text = text.strip()
    if not text.isascii():
        return rows_.filter(school__name__contains=text)
    upper = text.upper()
    inside = ShipmentCard.objects.filter(shipment=OuterRef("pk"), card__number=upper)
    numbers = Q(number=upper) | Q(delivery__number=upper) | Q(replacement__number=upper)
    return rows_.filter(
        numbers | Q(pk__in=Shipment.objects.filter(waybills__number__in=[text, upper])) | Exists(inside)
    )


def of_replacement(scope: Scope, replacement_id: int) -> list[Shipment]:
    """All that a replaced card travelled in, newest first."""
    return list(rows(scope).filter(replacement=replacement_id).order_by("-id"))


def of_delivery(scope: Scope, delivery_id: int) -> list[Shipment]:
    """All that were made for a delivery, newest first."""
    return list(rows(scope).filter(delivery=delivery_id).order_by("-id"))


def events(shipment_: Shipment) -> list[TrackingEvent]:
    """What the courier said, oldest first, also what nobody has confirmed."""
    seen = TrackingEvent.objects.filter(waybill__shipment=shipment_).select_related("waybill")
    return list(seen.order_by("at", "id"))


def custody(scope: Scope, card_id: int) -> list[Custody]:
    """Who held a card, in every parcel that it was in, oldest first."""
    seen = Custody.objects.filter(
        shipment__in=Shipment.objects.visible_to(scope), shipment__contents__card=card_id
    )
    return list(seen.select_related("shipment").order_by("at", "id"))


def of_card(scope: Scope, card_id: int) -> list[Shipment]:
    """All that a card travelled in, newest first."""
    return list(rows(scope).filter(contents__card=card_id).prefetch_related("waybills").order_by("-id"))


def told_of_card(scope: Scope, card_id: int, most: int) -> list[TrackingEvent]:
    """The newest that couriers said of the parcels that a card was in; of a school's boxes, of its own."""
    mine = Q(pk__in=[])
    for place in ShipmentCard.objects.filter(card=card_id, shipment__in=Shipment.objects.visible_to(scope)):
        own = Q(waybill__box=None) | Q(waybill__box=place.box_id)
        mine |= own & Q(waybill__shipment=place.shipment_id)
    return list(
        TrackingEvent.objects.filter(mine).select_related("waybill__shipment").order_by("-at", "-id")[:most]
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a card now, and since when."""

    who: str
    since: datetime


def held(card: Card, hands: Sequence[Custody]) -> Held | None:
    """Who has it now, of a card on its way by the last row of `custody`, else by its state; None: nothing on
    record says it.
    """
    last = hands[-1] if hands else None
    if last is not None and card.state in rules.TRAVELS and last.holder != rules.SENDER:
        who = last.shipment.carrier if last.holder == rules.COURIER else rules.HOLDERS[last.holder]
        return Held(who, last.at)
    who, since = rules.keeper_in(card.state), card.state_at
    if card.state == "active":  # one that was lost and found again has been the child's for longer
        steps = history.timeline({"card": [card.id]})
        since = max((each.at for each in steps if each.event in ("hand_out", "give")), default=since)
    return Held(who, since) if who else None


def problems(scope: Scope) -> QuerySet[Problem]:
    """What waits for a person."""
    seen = Problem.objects.filter(closed_at=None, shipment__in=Shipment.objects.visible_to(scope))
    seen = seen.select_related("shipment__school__district", "shipment__delivery", "shipment__replacement")
    return seen.prefetch_related("shipment__waybills")


def open_problems(scope: Scope) -> int:
    return problems(scope).count()


@dataclass(frozen=True, slots=True)
class Score:
    """One courier over a span of days (of the hand-over).

    `handed_over`: parcels given to it. `ended`: of these, delivered, returned or lost. `delivered`: signed
    for or taken out of a locker, confirmed. `on_time`: delivered on `expected_on` or before (Beijing days).
    `first_attempt`: delivered without a failed attempt before. `lost`: a person said so, and nobody has found
    it. `damaged`: delivered, with a card that the school found damaged. `open_late`: not ended, `expected_on`
    past. Shares are of `ended` for lost, of `delivered` for the others; None where that is nothing.
    """

    carrier: str
    handed_over: int
    ended: int
    delivered: int
    on_time: int
    first_attempt: int
    returned: int
    lost: int
    damaged: int
    open_late: int

    @property
    def on_time_share(self) -> float | None:
        return self.on_time / self.delivered if self.delivered else None

    @property
    def first_attempt_share(self) -> float | None:
        return self.first_attempt / self.delivered if self.delivered else None

    @property
    def lost_share(self) -> float | None:
        return self.lost / self.ended if self.ended else None

    @property
    def damaged_share(self) -> float | None:
        return self.damaged / self.delivered if self.delivered else None


def scorecard(scope: Scope, first: date, last: date) -> list[Score]:
    """One line a courier, of what was handed over from `first` to `last`, by name."""
    spoilt = logistics.Discrepancy.objects.filter(kind="damaged", box__delivery=OuterRef("delivery"))
    seen = Shipment.objects.visible_to(scope).filter(handed_over_at__date__range=(first, last))
    seen = seen.annotate(spoilt=Exists(spoilt)).order_by()
    ended = Q(state__in=[s.DELIVERED, s.BACK, t.LOST])
    done = Q(state=s.DELIVERED)

    def many(condition: Q) -> Count:
        return Count(Case(When(condition, then=Value(1)), output_field=IntegerField()))

    found_ = seen.values("carrier").annotate(
        handed_over=Count("id"),
        ended=many(ended),
        delivered=many(done),
        on_time=many(done & Q(delivered_at__date__lte=F("expected_on"))),
        first_attempt=many(done & Q(failed_attempts=0)),
        returned=many(Q(state=s.BACK)),
        lost=many(Q(state=t.LOST)),
        damaged=many(done & Q(spoilt=True)),
        open_late=many(~ended & Q(expected_on__lt=clock.today())),
    )
    return [Score(**row) for row in found_.order_by("carrier")]


@dataclass(frozen=True, slots=True)
class Step:
    """One line for the family: neutral words, the courier's time; no names, no phones."""

    label: str
    at: datetime
    detail: str


def way(shipment_: Shipment) -> list[Step]:
    """The confirmed way of a parcel, newest first, for whoever waits for it."""
    seen = [each for each in events(shipment_) if each.confirmed_at and each.status != s.NOTED]
    return [Step(s.STATUSES[each.status], each.at, each.place) for each in reversed(seen)]


def kind_words(shipment_: Shipment) -> str:
    return rules.KINDS[shipment_.kind]

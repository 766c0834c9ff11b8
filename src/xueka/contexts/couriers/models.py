"""Shipments and what is known of them: waybills, cards, tracking, custody, pushes, problems."""

from typing import Self

from django.db import models
from django.db.models import Q

from xueka.contexts.couriers.domain import status as s
from xueka.contexts.couriers.domain.rules import (
    COURIERS,
    FOLLOWS,
    HOLDERS,
    INTERCEPTS,
    KINDS,
    OUTCOMES,
    PROBLEMS,
    SCHOOL,
)
from xueka.contexts.couriers.domain.transitions import CANCELLED, FAILED, LOST, OPEN, SHIPMENT
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import Scope


class Shipments(models.QuerySet["Shipment"]):
    def visible_to(self, scope: Scope) -> Self:
        """A shipment is seen where its school is; one that goes home also by its child's guardians."""
        where = scope.filter(
            district="school__district_id", school="school__code", student="replacement__student_id"
        )
        return self.filter(where)


class CityWork(models.QuerySet):
    def visible_to(self, scope: Scope) -> Self:
        return self.filter(pk__in=[]) if scope.level not in ("system", "city") else self.all()


class Shipment(models.Model):
    """What goes to one address at one time: the boxes of a delivery, or one replaced card to a home.

    `number` is the order id that the courier knows. `address` opens to {name, phone, address} and is emptied
    some days after the end; `mark` tells whether the family has changed it since. `status` is the last
    neutral word, at the courier's time. `next_try_at`: a call is to be made (again); `next_ask_at`: its
    way is asked; `unanswered_since`: that gives nothing. `unsent`: the courier has it, and what it comes from
    does not say so yet. `label`: the courier's own, emptied with the address; `label_said`: why there is none
    although the account has them.
    """

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=8)
    courier = models.CharField(max_length=16)
    carrier = models.CharField(max_length=32)
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+")
    delivery = models.ForeignKey(
        "logistics.Delivery", on_delete=models.PROTECT, null=True, related_name="shipments"
    )
    replacement = models.ForeignKey(
        "replacements.Replacement", on_delete=models.PROTECT, null=True, related_name="shipments"
    )
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    address = SealedField(default=b"", when="address <> ''")
    mark = models.CharField(max_length=16, blank=True)
    pieces = models.IntegerField(default=1)
    route_label = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)
    expected_on = models.DateField()
    handed_over_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=16, blank=True)
    status_at = models.DateTimeField(null=True)
    failed_attempts = models.IntegerField(default=0)
    intercept = models.CharField(max_length=8, blank=True)
    why = models.CharField(max_length=200, blank=True)
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    next_ask_at = models.DateTimeField(null=True)
    unanswered_since = models.DateTimeField(null=True)
    unsent = models.BooleanField(default=False, db_default=False)
    label = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT, null=True, related_name="+")
    label_said = models.CharField(max_length=200, blank=True, db_default="")

    objects = Shipments.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(SHIPMENT.state_codes)), name="couriers_shipment_state"
            ),
            models.CheckConstraint(condition=Q(courier__in=list(COURIERS)), name="couriers_shipment_courier"),
            models.CheckConstraint(
                condition=Q(kind=SCHOOL, delivery__isnull=False, replacement=None)
                | (Q(kind__in=[each for each in KINDS if each != SCHOOL]) & Q(replacement__isnull=False))
                & Q(delivery=None),
                name="couriers_shipment_is_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(pieces__gt=0), name="couriers_shipment_pieces"),
            models.CheckConstraint(
                condition=Q(intercept__in=["", *INTERCEPTS]), name="couriers_shipment_intercept"
            ),
            models.CheckConstraint(
                condition=~Q(state=s.DELIVERED) | Q(delivered_at__isnull=False),
                name="couriers_delivered_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["delivery"],
                condition=~Q(state__in=[CANCELLED, FAILED, s.BACK]),
                name="couriers_one_for_a_delivery",
            ),
            models.UniqueConstraint(
                fields=["replacement"],
                condition=Q(state__in=OPEN) & ~Q(intercept="taken"),
                name="couriers_one_open_for_a_card",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="couriers_work"),
            models.Index(fields=["next_try_at"], condition=~Q(next_try_at=None), name="couriers_to_call"),
            models.Index(fields=["next_ask_at"], condition=~Q(next_ask_at=None), name="couriers_to_ask"),
            models.Index(fields=["created_at"], name="couriers_by_day"),
        ]


class Waybill(models.Model):
    """The number of one parcel; the first of several is the mother. `follows`: what kuaidi100 does for it."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="waybills")
    number = models.CharField(max_length=40)
    position = models.IntegerField()
    box = models.ForeignKey("logistics.Box", on_delete=models.PROTECT, null=True, related_name="+")
    follows = models.CharField(max_length=8, blank=True)
    subscriptions = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["shipment_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["shipment", "position"], name="couriers_waybill_place"),
            models.UniqueConstraint(fields=["shipment", "number"], name="couriers_waybill_once"),
            models.CheckConstraint(condition=Q(follows__in=["", *FOLLOWS]), name="couriers_follows"),
        ]
        indexes = [
            models.Index(fields=["number"], name="couriers_by_waybill"),
            models.Index(
                fields=["next_try_at"], condition=~Q(next_try_at=None), name="couriers_to_subscribe"
            ),
        ]


class ShipmentCard(models.Model):
    """A card that was in a shipment, and in which box."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="contents")
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="shipped")
    box = models.ForeignKey("logistics.Box", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shipment", "card"], name="couriers_card_once"),
        ]


class Custody(models.Model):
    """Who held a shipment, and so each of its cards, from a moment on. Append-only."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="custody")
    seq = models.IntegerField()
    holder = models.CharField(max_length=12)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        ordering = ["shipment_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["shipment", "seq"], name="couriers_custody_seq"),
            models.CheckConstraint(condition=Q(holder__in=list(HOLDERS)), name="couriers_custody_holder"),
        ]


class TrackingEvent(models.Model):
    """One thing that a courier said of one waybill. Append-only, but that it may be confirmed later, then in
    the words of the answer.

    `key` is what makes it the same when it is told again: the courier's time and code. `courier_id` is the
    courier's own id, where it was pushed. Without `confirmed_at` it moves nothing.
    """

    waybill = models.ForeignKey(Waybill, on_delete=models.PROTECT, related_name="events")
    key = models.CharField(max_length=80)
    courier_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=16)
    at = models.DateTimeField()
    code = models.CharField(max_length=16, blank=True)
    place = models.CharField(max_length=100, blank=True)
    remark = models.CharField(max_length=300, blank=True)
    heard_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["waybill", "key"], name="couriers_event_once"),
            models.UniqueConstraint(
                fields=["waybill", "courier_id"],
                condition=~Q(courier_id=""),
                name="couriers_event_once_by_id",
            ),
            models.CheckConstraint(condition=Q(status__in=list(s.STATUSES)), name="couriers_event_status"),
        ]
        indexes = [models.Index(fields=["heard_at"], name="couriers_event_by_day")]


class Push(models.Model):
    """What somebody sent in a courier's name, sealed unread; a repetition is counted."""

    courier = models.CharField(max_length=16)
    digest = models.CharField(max_length=64)
    raw = SealedField(default=b"", when="raw <> ''")
    received_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    last_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, blank=True)
    said = models.CharField(max_length=200, blank=True)
    judged_at = models.DateTimeField(null=True)
    tries = models.IntegerField(default=0)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["courier", "digest"], name="couriers_push_once"),
            models.CheckConstraint(condition=Q(outcome__in=["", *OUTCOMES]), name="couriers_push_outcome"),
            models.CheckConstraint(
                condition=Q(outcome="", judged_at=None) | (~Q(outcome="") & Q(judged_at__isnull=False)),
                name="couriers_push_judged",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(outcome=""), name="couriers_push_to_judge"),
            models.Index(fields=["received_at"], name="couriers_push_by_day"),
        ]


class Problem(models.Model):
    """Something about a shipment that a person looks at: late, stuck, refused, returned, lost, not sent."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="problems")
    kind = models.CharField(max_length=12)
    opened_at = models.DateTimeField()
    said = models.CharField(max_length=200, blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=80, blank=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["opened_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=list(PROBLEMS)), name="couriers_problem_kind"),
            models.UniqueConstraint(
                fields=["shipment", "kind"], condition=Q(closed_at=None), name="couriers_problem_open_once"
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(closed_at=None), name="couriers_problem_open")]


#: States in which nothing follows by itself any more.
ENDED = (s.DELIVERED, s.BACK, CANCELLED, FAILED, LOST)

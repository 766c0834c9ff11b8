"""Replacements: one row from the first question to the child's hand."""

from typing import Self

from django.db import models
from django.db.models import Q

from xueka.contexts.replacements.domain.rules import DELIVERIES, HOME, REASONS
from xueka.contexts.replacements.domain.transitions import (
    CANCELLED,
    DRAFT,
    OPEN,
    PROMISED,
    REPLACEMENT,
    UNPAID,
)
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import Scope


class Replacements(models.QuerySet["Replacement"]):
    def visible_to(self, scope: Scope) -> Self:
        """A replacement follows its child; a school sees it too while its card is made for that school."""
        where = scope.filter(
            district="student__school__district_id", school="student__school__code", student="student_id"
        )
        return self.filter(where)


class Replacement(models.Model):
    """One card for another, from the first question to the child's hand.

    `address` opens to {name, phone, address} where the card is posted, and is emptied after the end. `order`
    is the order in force: one that ran out is followed by another. `started_at` is the channel's time of
    success, for a free one the moment of submission: from its day on the promise is counted.
    `delivered_at`: the card is where the family chose to have it. `to_counter`: its application was
    sent to a counter once; whoever sends it back to the bureau means it. `bounced_why`: the parcel came back
    last time, and why.
    """

    number = models.CharField(max_length=20, unique=True)
    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="replacements")
    kind = models.ForeignKey("cards.CardKind", on_delete=models.PROTECT, related_name="+")
    old_card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="replacements")
    reason = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)
    fee_fen = models.IntegerField()
    fine = models.BooleanField(default=False, db_default=False)
    tariff = models.CharField(max_length=32)
    free_reason = models.CharField(max_length=60, blank=True)
    delivery = models.CharField(max_length=16, blank=True)
    address = SealedField(default=b"", when="address <> ''")
    to_counter = models.BooleanField(default=False)
    order = models.ForeignKey("payments.Order", on_delete=models.PROTECT, null=True, related_name="+")
    application = models.OneToOneField(
        "cards.Application", on_delete=models.PROTECT, null=True, related_name="replacement"
    )
    started_at = models.DateTimeField(null=True)
    promised_on = models.DateField(null=True)
    is_provisional = models.BooleanField(default=False)
    carrier = models.CharField(max_length=32, blank=True)
    waybill = models.CharField(max_length=40, blank=True)
    bounced_why = models.CharField(max_length=200, blank=True)
    delivered_at = models.DateTimeField(null=True)
    stopped_why = models.CharField(max_length=200, blank=True)

    objects = Replacements.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(REPLACEMENT.state_codes)), name="replacements_state"
            ),
            models.CheckConstraint(condition=Q(reason__in=list(REASONS)), name="replacements_reason"),
            models.CheckConstraint(condition=Q(fee_fen__gte=0), name="replacements_fee"),
            models.CheckConstraint(
                condition=Q(delivery__in=list(DELIVERIES)) | Q(delivery="", state__in=[DRAFT, CANCELLED]),
                name="replacements_delivery_chosen",
            ),
            models.CheckConstraint(
                condition=~Q(delivery=HOME) | ~Q(state__in=[UNPAID, *PROMISED]) | ~Q(address=b""),
                name="replacements_address_where_posted",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=PROMISED) | Q(started_at__isnull=False, promised_on__isnull=False),
                name="replacements_promise_made",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=PROMISED) | Q(fee_fen=0) | Q(order__isnull=False),
                name="replacements_paid_by_an_order",
            ),
            models.UniqueConstraint(
                fields=["student", "kind"], condition=Q(state__in=OPEN), name="replacements_one_open"
            ),
        ]
        indexes = [
            models.Index(fields=["promised_on"], condition=Q(state__in=PROMISED), name="replacements_watch"),
            models.Index(fields=["state", "id"], name="replacements_work"),
            models.Index(fields=["order"], name="replacements_order"),
        ]

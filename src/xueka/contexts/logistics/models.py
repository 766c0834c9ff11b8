"""Boxes of cards on their way to a school, their receipt there, and what went wrong on the way."""

from typing import Self

from django.db import models
from django.db.models import Q

from xueka.platform.identity.scope import Scope

DISCREPANCY_KINDS = [
    ("short", "少卡"),
    ("extra", "多出"),
    ("damaged", "破损"),
    ("wrong_school", "不属本箱"),
    ("lost_box", "整箱丢失"),
]


class ScopedBySchool(models.QuerySet):
    def visible_to(self, scope: Scope) -> Self:
        return self.filter(scope.filter(district="school__district_id", school="school__code"))


class DistrictPlace(models.Model):
    """Where a district's counter is: couriers fetch there what it sends, and families collect there."""

    district = models.OneToOneField("registry.District", on_delete=models.PROTECT, related_name="+")
    address = models.CharField(max_length=200)
    consignee = models.CharField(max_length=64)
    phone = models.CharField(max_length=32)
    hours = models.CharField(max_length=100, blank=True)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=80)


class Delivery(models.Model):
    """The boxes that go to one school together, with the address as it was on that day."""

    number = models.CharField(max_length=20, unique=True)
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=16)
    address = models.CharField(max_length=200)
    consignee = models.CharField(max_length=64)
    consignee_phone = models.CharField(max_length=32, blank=True)
    receiving_hours = models.CharField(max_length=100, blank=True)
    carrier = models.CharField(max_length=32, blank=True)
    waybill = models.CharField(max_length=64, blank=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    expected_on = models.DateField(null=True)
    received_at = models.DateTimeField(null=True)
    received_by = models.CharField(max_length=80, blank=True)

    objects = ScopedBySchool.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["waybill"], name="logistics_by_waybill")]


class Box(models.Model):
    """One box: the cards of one class (several boxes for a large one)."""

    number = models.CharField(max_length=20, unique=True)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="boxes")
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+")
    school_class = models.ForeignKey("registry.SchoolClass", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=16)
    card_count = models.IntegerField()
    created_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True)
    received_by = models.CharField(max_length=80, blank=True)

    objects = ScopedBySchool.as_manager()

    class Meta:
        ordering = ["number"]
        indexes = [models.Index(fields=["state", "school", "id"], name="logistics_box_work")]


class BoxCard(models.Model):
    """A card in a box. A card lies in one box at a time; an earlier place is kept as closed."""

    box = models.ForeignKey(Box, on_delete=models.PROTECT, related_name="contents")
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="box_places")
    position = models.IntegerField()
    is_here = models.BooleanField(default=True)
    scanned_at = models.DateTimeField(null=True)
    scanned_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["box_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["box", "position"], name="logistics_place_once"),
            models.UniqueConstraint(
                fields=["card"], condition=Q(is_here=True), name="logistics_card_in_one_box"
            ),
        ]


class Scan(models.Model):
    """A card number that the receiving school has scanned, kept until (and after) the box is signed for.

    So a browser that breaks down in the middle loses nothing, and two people may scan one box together.
    """

    box = models.ForeignKey(Box, on_delete=models.PROTECT, related_name="scans")
    code = models.CharField(max_length=32)
    is_damaged = models.BooleanField(default=False)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["box", "code"], name="logistics_scan_once")]


class Discrepancy(models.Model):
    """A difference found on receipt: short, extra, damaged, wrong school; or a lost box."""

    box = models.ForeignKey(Box, on_delete=models.PROTECT, related_name="discrepancies")
    kind = models.CharField(max_length=16, choices=DISCREPANCY_KINDS)
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, null=True, related_name="+")
    scanned = models.CharField(max_length=32, blank=True)
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16, default="open")
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=80)
    resolution = models.CharField(max_length=16, blank=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=80, blank=True)

    class Meta:
        db_table = "logistics_discrepancy"
        ordering = ["opened_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["short", "extra", "damaged", "wrong_school", "lost_box"]),
                name="logistics_discrepancy_kind",
            ),
        ]

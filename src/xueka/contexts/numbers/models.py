"""Number ranges from their issuers, initialised blanks, and what became of every single number."""

from django.db import models
from django.db.models import F, Q


class Sort(models.TextChoices):
    """Whose number it is."""

    CARD = "card", "学生卡号"
    TRANSIT = "transit", "一卡通号"
    BEIJING_TONG = "beijing_tong", "北京通号"


class NumberRange(models.Model):
    """Numbers `prefix` + serial (zero-filled to `width`), `first` to `last`, handed out in order.

    Ranges of one sort never overlap (database trigger). Numbers below `next_serial` are all in
    `NumberUse`; so no gap is unexplained. For our own card numbers the check digit follows the serial.
    What another system has used up of a range is a range of its own, closed, that gives nothing (ADR 0091).
    """

    sort = models.CharField(max_length=16, choices=Sort.choices)
    issuer = models.CharField(max_length=64)
    document = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=16, blank=True)
    width = models.SmallIntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    next_serial = models.BigIntegerField()
    low_water = models.IntegerField(default=0)
    is_open = models.BooleanField(default=True)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=80)
    taken_over = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["sort", "prefix", "first"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first__gte=0, last__gte=F("first")), name="numbers_range_order"
            ),
            models.CheckConstraint(
                condition=Q(next_serial__gte=F("first")) & Q(next_serial__lte=F("last") + 1),
                name="numbers_next_inside",
            ),
            models.CheckConstraint(condition=Q(width__gte=1, width__lte=18), name="numbers_range_width"),
            models.CheckConstraint(condition=Q(low_water__gte=0), name="numbers_low_water_not_negative"),
            models.CheckConstraint(condition=Q(sort__in=Sort.values), name="numbers_range_sort"),
        ]


class NumberUse(models.Model):
    """One number that left its range (or came with a blank, or from another system), and what it is now.

    `taken_over` is the take-over that brought it, `repair` the last repair that put its state back.
    """

    sort = models.CharField(max_length=16, choices=Sort.choices)
    number = models.CharField(max_length=32)
    range = models.ForeignKey(NumberRange, on_delete=models.PROTECT, null=True, related_name="uses")
    serial = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16)
    card_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    reason = models.CharField(max_length=100, blank=True)
    taken_over = models.BigIntegerField(null=True)
    repair = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sort", "number"], name="numbers_each_once"),
            models.UniqueConstraint(fields=["range", "serial"], name="numbers_each_serial_once"),
            models.UniqueConstraint(
                fields=["sort", "card_id"],
                condition=Q(card_id__isnull=False, state__in=["assigned", "used"]),
                name="numbers_one_of_a_sort_per_card",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["assigned", "used", "spoiled", "returned"]), name="numbers_use_state"
            ),
            models.CheckConstraint(
                condition=Q(range__isnull=True, serial__isnull=True)
                | Q(range__isnull=False, serial__isnull=False),
                name="numbers_use_origin",
            ),
        ]
        indexes = [
            models.Index(fields=["card_id"], name="numbers_by_card"),
            models.Index(fields=["sort", "at"], name="numbers_by_day"),
        ]


class BlankLot(models.Model):
    """Initialised blanks handed over by the transit company in one delivery."""

    number = models.CharField(max_length=32, unique=True)
    supplier = models.CharField(max_length=64)
    sm3 = models.BinaryField(max_length=32)
    quantity = models.IntegerField()
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=80)
    handed_over_by = models.CharField(max_length=64)


class Blank(models.Model):
    """One blank: it may come with its chip UID and its transit number; then it is bound, not allocated."""

    lot = models.ForeignKey(BlankLot, on_delete=models.PROTECT, related_name="blanks")
    position = models.IntegerField()
    uid = models.CharField(max_length=20, blank=True)
    transit_number = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=16, default="in_stock")
    card_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    reason = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lot", "position"], name="numbers_blank_position"),
            models.UniqueConstraint(fields=["uid"], condition=~Q(uid=""), name="numbers_blank_uid_once"),
            models.UniqueConstraint(
                fields=["transit_number"], condition=~Q(transit_number=""), name="numbers_blank_transit_once"
            ),
            models.UniqueConstraint(
                fields=["card_id"],
                condition=Q(card_id__isnull=False, state__in=["bound", "used"]),
                name="numbers_one_blank_per_card",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["in_stock", "bound", "used", "spoiled", "returned"]),
                name="numbers_blank_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="in_stock", card_id__isnull=False)
                & ~Q(state__in=["bound", "used"], card_id__isnull=True),
                name="numbers_blank_and_card",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="in_stock"), name="numbers_blanks_in_stock"),
            models.Index(fields=["card_id"], name="numbers_blank_by_card"),
        ]

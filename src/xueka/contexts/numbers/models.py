"""Number ranges from their issuers, initialised blanks, and what became of every single number."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.numbers.domain.counters import COUNTERS, DIRECTIONS
from xueka.contexts.numbers.domain.handing_over import IN, OUT, PURPOSES
from xueka.contexts.numbers.domain.transitions import INITIALISATION


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
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=80, blank=True, db_default="")
    closed_reason = models.CharField(max_length=200, blank=True, db_default="")
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
    """One blank: it may come with its chip UID and its transit number; then it is bound, not allocated.

    `counter`: the office it was handed to; it keeps that when it becomes a card or is spoilt there.
    """

    lot = models.ForeignKey(BlankLot, on_delete=models.PROTECT, related_name="blanks")
    position = models.IntegerField()
    uid = models.CharField(max_length=20, blank=True)
    transit_number = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=16, default="in_stock")
    card_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    reason = models.CharField(max_length=100, blank=True)
    counter = models.CharField(max_length=6, blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(counter__in=["", *COUNTERS]), name="numbers_blank_counter"),
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
            models.Index(
                fields=["counter", "lot", "state"],
                condition=~Q(counter=""),
                name="numbers_at_counters",
            ),
        ]


class Initialisation(models.Model):
    """An order by which the transit company initialises blanks: so many, on that day, back by another."""

    number = models.CharField(max_length=20, unique=True)
    company = models.CharField(max_length=64)
    quantity = models.IntegerField()
    planned_on = models.DateField()
    due_on = models.DateField()
    document = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="numbers_initialisation_quantity"),
            models.CheckConstraint(
                condition=Q(due_on__gte=F("planned_on")), name="numbers_initialisation_days"
            ),
            models.CheckConstraint(
                condition=Q(state__in=list(INITIALISATION.state_codes)), name="numbers_initialisation_state"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_on"], condition=Q(state="at_company"), name="numbers_initialisation_due"
            )
        ]


class HandOver(models.Model):
    """Blanks that changed hands, with the two people who signed. Never changed; a wrong one is replaced.

    What counts is the last of a chain of `replaces`. `rejected` came back from the company unusable.
    """

    append_only = True

    number = models.CharField(max_length=20, unique=True)
    purpose = models.CharField(max_length=16)
    direction = models.CharField(max_length=8)
    order = models.ForeignKey(Initialisation, on_delete=models.PROTECT, null=True, related_name="hand_overs")
    lot = models.ForeignKey(BlankLot, on_delete=models.PROTECT, null=True, related_name="hand_overs")
    quantity = models.IntegerField()
    rejected = models.IntegerField(default=0)
    counterparty = models.CharField(max_length=64)
    given_by = models.CharField(max_length=64)
    received_by = models.CharField(max_length=64)
    document = models.CharField(max_length=100)
    contents = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    recorded_by = models.CharField(max_length=80)
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose__in=[p for p, (way, _) in PURPOSES.items() if way == OUT], direction=OUT)
                | Q(purpose__in=[p for p, (way, _) in PURPOSES.items() if way == IN], direction=IN),
                name="numbers_handover_purpose",
            ),
            models.CheckConstraint(
                condition=~Q(given_by="") & ~Q(received_by="") & ~Q(given_by=F("received_by")),
                name="numbers_handover_two_people",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, rejected__gte=0)
                & (Q(quantity__gt=0) | Q(rejected__gt=0) | Q(replaces__isnull=False)),
                name="numbers_handover_quantity",
            ),
            models.CheckConstraint(
                condition=Q(rejected=0) | Q(purpose="receive"), name="numbers_handover_rejected"
            ),
            models.CheckConstraint(
                condition=~Q(purpose__in=["to_bureau", "from_bureau", "to_supplier"]) | Q(lot__isnull=False),
                name="numbers_handover_lot",
            ),
            models.CheckConstraint(
                condition=~Q(purpose="send") | Q(order__isnull=False), name="numbers_handover_order"
            ),
        ]


class CounterSlip(models.Model):
    """Blanks `first` to `last` of a lot that went to a counter's office or came back, as many as the two who
    signed have counted. Never changed: a wrong one is followed by one the other way.
    """

    append_only = True

    number = models.CharField(max_length=20, unique=True)
    direction = models.CharField(max_length=8)
    counter = models.CharField(max_length=6)
    lot = models.ForeignKey(BlankLot, on_delete=models.PROTECT, related_name="counter_slips")
    first = models.IntegerField()
    last = models.IntegerField()
    quantity = models.IntegerField()
    given_by = models.CharField(max_length=64)
    received_by = models.CharField(max_length=64)
    document = models.CharField(max_length=100)
    at = models.DateTimeField()
    recorded_by = models.CharField(max_length=80)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(direction__in=list(DIRECTIONS), counter__in=list(COUNTERS)),
                name="numbers_counter_slip_kind",
            ),
            models.CheckConstraint(
                condition=Q(first__gte=1, last__gte=F("first"), quantity__gte=1)
                & Q(quantity__lte=F("last") - F("first") + 1),
                name="numbers_counter_slip_quantity",
            ),
            models.CheckConstraint(
                condition=~Q(given_by="") & ~Q(received_by="") & ~Q(given_by=F("received_by")),
                name="numbers_counter_slip_two_people",
            ),
        ]
        indexes = [models.Index(fields=["counter", "lot"], name="numbers_slips_by_counter")]

"""Card printers with their consumables, print jobs, and plastic that was thrown away."""

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q

from xueka.contexts.cards.api import Card
from xueka.contexts.printing.domain.printing import REPRINT_REASONS, SPOIL_REASONS, level
from xueka.contexts.printing.domain.transitions import OPEN, PRINT_JOB
from xueka.kernel import clock
from xueka.platform.identity.scope import Scope

SILENT = timedelta(seconds=60)


class AtCounters(models.QuerySet):
    """The city sees every counter, a district its own. `place` leads to the printer."""

    place = ""

    def visible_to(self, scope: Scope) -> Self:
        if scope.level in ("system", "city"):
            return self
        if scope.level != "district":
            return self.none()
        return self.filter(**{f"{self.place}district_id": scope.district})


class OfPrinters(AtCounters):
    place = "printer__"


class OfCards(models.QuerySet):
    """What is printed on or thrown away is seen where the printer stands, and where its card is: a card of a
    district may be made at a counter of the city.
    """

    def visible_to(self, scope: Scope) -> Self:
        if scope.level in ("system", "city"):
            return self
        mine = Q(card__in=Card.objects.visible_to(scope).values("id"))
        if scope.level == "district":
            mine |= Q(printer__district_id=scope.district)
        return self.filter(mine)


class Printer(models.Model):
    """A card printer at a counter. `agent` is the issuing agent that drives it, `device` its own name for it.

    Without a district it is a counter of the city. What the agent last said of it is `said_…`.
    """

    name = models.CharField(max_length=40)
    agent = models.CharField(max_length=40)
    device = models.CharField(max_length=100)
    uri = models.CharField(max_length=200, blank=True)
    media_type = models.CharField(max_length=40, default="application/pdf")
    district = models.ForeignKey("registry.District", on_delete=models.PROTECT, null=True, related_name="+")
    is_open = models.BooleanField(default=True)
    said_state = models.CharField(max_length=12, blank=True)
    said_message = models.CharField(max_length=200, blank=True)
    said_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)

    objects = AtCounters.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["agent", "device"], name="printing_device_once"),
            models.UniqueConstraint(fields=["name"], name="printing_printer_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def silent(self) -> bool:
        """Whether its agent has not told of it lately: what it said then may not be so any more."""
        return self.said_at is None or clock.now() - self.said_at > SILENT


class PrintJob(models.Model):
    """One face to be printed on one plastic. `number` counts the jobs of a card; from 2 on there is a reason.

    `plastic` is the chip's UID where the plastic has one. The artwork is that of `template` and `version`.
    """

    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="+")
    number = models.SmallIntegerField()
    printer = models.ForeignKey(Printer, on_delete=models.PROTECT, related_name="jobs")
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    template = models.CharField(max_length=32)
    version = models.SmallIntegerField()
    plastic = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=16, blank=True)
    note = models.CharField(max_length=200, blank=True)
    message = models.CharField(max_length=200, blank=True)
    late = models.CharField(max_length=200, blank=True)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    sent_at = models.DateTimeField(null=True)

    objects = OfCards.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(PRINT_JOB.state_codes)), name="printing_job_state"
            ),
            models.UniqueConstraint(fields=["card", "number"], name="printing_job_number"),
            models.UniqueConstraint(
                fields=["card"], condition=Q(state__in=OPEN), name="printing_one_open_job_per_card"
            ),
            models.UniqueConstraint(
                fields=["printer"],
                condition=Q(state__in=["sent", "printing"]),
                name="printing_one_job_in_a_printer",
            ),
            models.UniqueConstraint(
                fields=["plastic"],
                condition=Q(state="printed") & ~Q(plastic=""),
                name="printing_plastic_printed_once",
            ),
            models.CheckConstraint(
                condition=Q(number=1, reason="") | Q(number__gt=1, reason__in=list(REPRINT_REASONS)),
                name="printing_reprint_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(sent_at__gte=F("asked_at")), name="printing_sent_after"
            ),
        ]
        indexes = [
            models.Index(fields=["printer", "id"], condition=Q(state="queued"), name="printing_queue"),
            models.Index(
                fields=["state_at"], condition=Q(state__in=["sent", "printing"]), name="printing_silent"
            ),
        ]


class Supply(models.Model):
    """A consumable in a printer; `left` is the sum of its entries."""

    printer = models.ForeignKey(Printer, on_delete=models.PROTECT, related_name="supplies")
    sort = models.CharField(max_length=16)
    capacity = models.IntegerField()
    low = models.IntegerField()
    left = models.IntegerField(default=0)

    objects = OfPrinters.as_manager()

    class Meta:
        ordering = ["printer_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["printer", "sort"], name="printing_supply_once"),
            models.CheckConstraint(
                condition=Q(left__gte=0, capacity__gt=0, low__gte=0, low__lt=F("capacity")),
                name="printing_supply_figures",
            ),
        ]

    @property
    def level(self) -> str:
        return level(self.left, self.low)


class SupplyEntry(models.Model):
    """Loaded, used by a job, or counted anew. Never changed."""

    append_only = True

    supply = models.ForeignKey(Supply, on_delete=models.PROTECT, related_name="entries")
    change = models.IntegerField()
    left = models.IntegerField()
    job = models.ForeignKey(PrintJob, on_delete=models.PROTECT, null=True, related_name="used")
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["supply", "job"], name="printing_job_uses_once"),
            models.CheckConstraint(condition=Q(left__gte=0), name="printing_entry_left"),
        ]


class Spoil(models.Model):
    """A plastic that is thrown away, and why. Never changed."""

    append_only = True

    printer = models.ForeignKey(Printer, on_delete=models.PROTECT, related_name="spoils")
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, null=True, related_name="+")
    job = models.OneToOneField(PrintJob, on_delete=models.PROTECT, null=True, related_name="spoil")
    plastic = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=16)
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    objects = OfCards.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plastic"], condition=~Q(plastic=""), name="printing_plastic_spoilt_once"
            ),
            models.CheckConstraint(condition=Q(reason__in=list(SPOIL_REASONS)), name="printing_spoil_reason"),
        ]

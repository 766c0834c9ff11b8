"""Secure access modules (SAM): what is in each, who holds it, what is open if one is lost."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.multiapp.domain.transitions import ISSUED, RISK, SAM, STOCK_TAKE
from xueka.contexts.multiapp.models.units import Unit, state_is_known
from xueka.platform.identity.scope import CityWork


class Sam(models.Model):
    """One module by the number printed on it.

    `unit` is for whom it was loaded; it has it while the state is `issued` (and had it when it was lost).
    """

    serial = models.CharField(max_length=32, unique=True)
    model = models.CharField(max_length=32)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, null=True, related_name="sams")
    device = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["serial"]
        constraints = [
            state_is_known(SAM),
            models.CheckConstraint(
                condition=~Q(state=ISSUED) | Q(unit__isnull=False), name="multiapp_issued_has_unit"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["in_stock", "destroyed"]) | Q(unit=None),
                name="multiapp_empty_has_none",
            ),
        ]
        indexes = [models.Index(fields=["state", "unit"], name="multiapp_sam_work")]


class SamKey(models.Model):
    """A key version in a module, by name; the key itself is nowhere here. Gone when `until` is set."""

    sam = models.ForeignKey(Sam, on_delete=models.PROTECT, related_name="keys")
    label = models.CharField(max_length=64)
    version = models.ForeignKey("keys.KeyVersion", on_delete=models.PROTECT, related_name="+")
    usage = models.CharField(max_length=16)
    since = models.DateTimeField()
    loaded_by = models.CharField(max_length=80)
    until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["label", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["sam", "label"], condition=Q(until=None), name="multiapp_sam_key_once"
            ),
        ]


class Custody(models.Model):
    """A hand-over of one module, with the names of who signed: an unbroken chain from the store on."""

    append_only = True

    sam = models.ForeignKey(Sam, on_delete=models.PROTECT, related_name="custody")
    seq = models.IntegerField()
    from_unit = models.ForeignKey(Unit, on_delete=models.PROTECT, null=True, related_name="+")
    to_unit = models.ForeignKey(Unit, on_delete=models.PROTECT, null=True, related_name="+")
    given_by = models.CharField(max_length=64)
    received_by = models.CharField(max_length=64)
    witness = models.CharField(max_length=64, blank=True)
    document = models.CharField(max_length=100)
    what = models.CharField(max_length=16)
    at = models.DateTimeField()
    recorded_by = models.CharField(max_length=80)

    class Meta:
        ordering = ["sam_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["sam", "seq"], name="multiapp_custody_once"),
            models.CheckConstraint(
                condition=~Q(given_by="")
                & ~Q(received_by="")
                & ~Q(given_by=F("received_by"))
                & ~Q(document=""),
                name="multiapp_custody_signed",
            ),
        ]


class Risk(models.Model):
    """What a lost module gives away: `keys` are [{label, version, kcv, usage}]. Open until it is settled."""

    number = models.CharField(max_length=20, unique=True)
    sam = models.ForeignKey(Sam, on_delete=models.PROTECT, related_name="risks")
    state = models.CharField(max_length=16)
    keys = models.JSONField(default=list)
    reason = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=80)
    measure = models.CharField(max_length=200, blank=True)
    settled_by = models.CharField(max_length=80, blank=True)
    settled_at = models.DateTimeField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            state_is_known(RISK),
            models.UniqueConstraint(fields=["sam"], condition=Q(state="open"), name="multiapp_one_open_risk"),
            models.CheckConstraint(
                condition=~Q(state="settled")
                | (~Q(measure="") & ~Q(settled_by="") & ~Q(settled_by=F("opened_by"))),
                name="multiapp_risk_two_people",
            ),
        ]


class StockTake(models.Model):
    """A count of the modules of one holder (none: the city's store), signed by a second person."""

    number = models.CharField(max_length=20, unique=True)
    holder = models.ForeignKey(Unit, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=16)
    expected = models.JSONField(default=list)
    missing = models.JSONField(default=list)
    strange = models.JSONField(default=list)
    begun_at = models.DateTimeField()
    begun_by = models.CharField(max_length=80)
    signed_at = models.DateTimeField(null=True)
    signed_by = models.CharField(max_length=80, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            state_is_known(STOCK_TAKE),
            models.UniqueConstraint(
                fields=["holder"],
                condition=Q(state="open"),
                name="multiapp_one_open_stock_take",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=~Q(state="signed") | (~Q(signed_by="") & ~Q(signed_by=F("begun_by"))),
                name="multiapp_stock_take_two_people",
            ),
        ]


class Seen(models.Model):
    """A module that was seen in a stock-take."""

    stock_take = models.ForeignKey(StockTake, on_delete=models.CASCADE, related_name="seen")
    serial = models.CharField(max_length=32)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stock_take", "serial"], name="multiapp_seen_once"),
        ]

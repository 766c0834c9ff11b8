"""What is compared with the counterparts, what differs, how good the data are, how far the history was read;
and what Beijing-Tong told us of numbers, cards and citizens.
"""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.interop.domain.buckets import KINDS
from xueka.contexts.interop.domain.transitions import (
    DIFFERENCE,
    GONE,
    GRANTED,
    NUMBER_REQUEST,
    TONG_APPLICATION,
)
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.exchange.quality import MEASURES

#: What became of a correction: its repair waits for a person; an exchange was opened, could not be, was not
#: needed; the repair was not approved, or taken back.
WAITING, OPENED, NO_EXCHANGE, DROPPED, UNDONE = "waiting", "opened", "no_exchange", "dropped", "undone"
OUTCOMES = {
    WAITING: "待批准",
    OPENED: "已准备换卡",
    NO_EXCHANGE: "未准备换卡",
    DROPPED: "未采纳",
    UNDONE: "已还原",
}


class Follower(models.Model):
    """How far the history of cards has been read for one counterpart (docs/adr/0230)."""

    counterpart = models.CharField(max_length=32, unique=True)
    read_up_to = models.BigIntegerField()
    pending_up_to = models.BigIntegerField(default=0)
    pending_xid = models.BigIntegerField(default=0)
    at = models.DateTimeField()


class Comparison(models.Model):
    """One comparison of a dataset with a counterpart, as it was found. `problem`: why there is no result.

    `whole`: every record that differs was looked at.
    """

    append_only = True

    counterpart = models.CharField(max_length=32)
    dataset = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    ours = models.IntegerField(default=0)
    theirs = models.IntegerField(default=0)
    both = models.IntegerField(default=0)
    agreeing = models.IntegerField(default=0)
    differing = models.IntegerField(default=0)
    on_the_way = models.IntegerField(default=0)
    round_trips = models.IntegerField(default=0)
    whole = models.BooleanField(default=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(agreeing__lte=F("both")) & Q(both__gte=0) & Q(differing__gte=0),
                name="interop_comparison_adds_up",
            ),
        ]
        indexes = [models.Index(fields=["counterpart", "dataset", "-id"], name="interop_comparison_latest")]


class AskedComparison(models.Model):
    """A comparison that a person wants now; the worker takes it up. `problem`: why there is none."""

    counterpart = models.CharField(max_length=32)
    dataset = models.CharField(max_length=32)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    comparison = models.OneToOneField(Comparison, on_delete=models.PROTECT, null=True, related_name="asked")
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["counterpart", "dataset"],
                condition=Q(ended_at=None),
                name="interop_one_asked_comparison",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, comparison=None, problem="")
                | (Q(ended_at__isnull=False) & (Q(comparison__isnull=False) | ~Q(problem=""))),
                name="interop_asked_comparison_ends",
            ),
        ]
        indexes = [models.Index(fields=["counterpart", "dataset", "-id"], name="interop_asked_latest")]


class SchoolRound(models.Model):
    """One comparison with the student registry, school by school: how far it is, and what it found.

    `up_to` is the code of the last school that was compared; `known` counts students that one side has alone,
    by reason; `unlike` gives code, our count and theirs of schools whose counts did not explain each other.
    `next_at` is when the next call is due, `tries` those in vain.
    """

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    problem = models.CharField(max_length=200, blank=True)
    up_to = models.CharField(max_length=10, blank=True)
    schools = models.IntegerField(default=0)
    unasked = models.IntegerField(default=0)
    ours = models.IntegerField(default=0)
    theirs = models.IntegerField(default=0)
    known = models.JSONField(default=dict)
    unlike = models.JSONField(default=list)
    calls = models.IntegerField(default=0)
    comparison = models.OneToOneField(Comparison, on_delete=models.PROTECT, null=True, related_name="round")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ended_at"],
                condition=Q(ended_at=None),
                name="interop_one_school_round",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, comparison=None)
                | Q(ended_at__isnull=False, comparison__isnull=False),
                name="interop_school_round_ends",
            ),
        ]


class Difference(models.Model):
    """A record on which the two sides do not agree. `envelope` opens to {ours, theirs}."""

    counterpart = models.CharField(max_length=32)
    dataset = models.CharField(max_length=32)
    key = models.CharField(max_length=80)
    kind = models.CharField(max_length=16)
    state = models.CharField(max_length=8)
    state_at = models.DateTimeField()
    envelope = SealedField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    owner = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=DIFFERENCE.state_codes), name="interop_difference_state"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="interop_difference_kind"),
            models.UniqueConstraint(
                fields=["counterpart", "dataset", "key"],
                condition=~Q(state=GONE),
                name="interop_one_difference_a_record",
            ),
        ]
        indexes = [models.Index(fields=["state", "counterpart", "id"], name="interop_difference_work")]


class Quality(models.Model):
    """One measure of one day and interface: `good` of `total`. A counterpart of the exchange is one."""

    counterpart = models.CharField(max_length=32)
    day = models.DateField()
    measure = models.CharField(max_length=10)
    good = models.BigIntegerField()
    total = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["counterpart", "day", "measure"], name="interop_one_measure_a_day"
            ),
            models.CheckConstraint(condition=Q(measure__in=list(MEASURES)), name="interop_measure"),
            models.CheckConstraint(
                condition=Q(good__gte=0) & Q(total__gte=F("good")), name="interop_share_of_a_whole"
            ),
        ]


class Sample(models.Model):
    """One hour of one interface: what moved in it, and the most that waited, and how long, as it was seen.

    Kept for `SAMPLES_KEPT` days.
    """

    interface = models.CharField(max_length=40)
    hour = models.DateTimeField()
    sent = models.IntegerField(default=0)
    received = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    waiting_most = models.IntegerField(default=0)
    oldest_most = models.IntegerField(default=0)  # seconds
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interface", "hour"], name="interop_one_sample_an_hour"),
            models.CheckConstraint(
                condition=Q(sent__gte=0)
                & Q(received__gte=0)
                & Q(failed__gte=0)
                & Q(waiting_most__gte=0)
                & Q(oldest_most__gte=0),
                name="interop_sample_is_counted",
            ),
        ]
        indexes = [models.Index(fields=["hour"], name="interop_sample_hour")]


class NumberRequest(models.Model):
    """Beijing-Tong numbers that we asked for. `answer`: their document's number, or why there are none."""

    number = models.CharField(max_length=20, unique=True)
    quantity = models.IntegerField()
    needed_on = models.DateField()
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=12)
    state_at = models.DateTimeField()
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    range = models.OneToOneField("numbers.NumberRange", on_delete=models.PROTECT, null=True, related_name="+")
    answer = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=NUMBER_REQUEST.state_codes), name="interop_number_request_state"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="interop_number_request_quantity"),
            models.CheckConstraint(
                condition=~Q(state=GRANTED) | Q(range__isnull=False), name="interop_number_request_granted"
            ),
        ]


class TongApplication(models.Model):
    """Beijing-Tong's own application on a card, as its keeper last told us. Without a row: working.

    `exchange`: the draft that was opened when the number was withdrawn; `note`: why there is none.
    """

    card = models.OneToOneField("cards.Card", on_delete=models.PROTECT, related_name="tong_application")
    state = models.CharField(max_length=12)
    state_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    exchange = models.ForeignKey("cards.Application", on_delete=models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=TONG_APPLICATION.state_codes), name="interop_tong_application_state"
            ),
        ]


class Correction(models.Model):
    """What Beijing-Tong says of a citizen where ours differs: a repair under two people, then an exchange."""

    message_id = models.CharField(max_length=64, unique=True)
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="+")
    repair = models.OneToOneField("repairs.Repair", on_delete=models.PROTECT, related_name="+")
    document = models.CharField(max_length=100, blank=True)
    outcome = models.CharField(max_length=12, default=WAITING)
    exchange = models.ForeignKey("cards.Application", on_delete=models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=list(OUTCOMES)), name="interop_correction_outcome"
            ),
            models.CheckConstraint(
                condition=~Q(outcome=OPENED) | Q(exchange__isnull=False), name="interop_correction_opened"
            ),
            models.CheckConstraint(
                condition=Q(outcome=WAITING, settled_at=None) | ~Q(outcome=WAITING),
                name="interop_correction_end",
            ),
        ]
        indexes = [models.Index(fields=["outcome", "id"], name="interop_correction_work")]

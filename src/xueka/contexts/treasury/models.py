"""Statements and confirmations as they came, runs of reconciliation, and the breaks that they found."""

import hashlib
import json

from django.db import models
from django.db.models import F, Q

from xueka.contexts.ledger.api import CHANNELS
from xueka.contexts.treasury.domain.breaks import KINDS
from xueka.contexts.treasury.domain.transitions import BREAK, SIGNED
from xueka.platform.identity.scope import CityWork

STATEMENT_KINDS = ("trade", "fund")
FETCH_KINDS = (*STATEMENT_KINDS, "confirm")


class Statement(models.Model):
    """A statement as received. `usable`: nothing is wrong with it; the newest usable one of a day counts."""

    append_only = True

    channel = models.CharField(max_length=16)
    kind = models.CharField(max_length=8)
    day = models.DateField()
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT, related_name="+", db_index=False)
    sm3 = models.CharField(max_length=64)
    usable = models.BooleanField()
    rows = models.IntegerField()
    amount_fen = models.BigIntegerField()
    refund_fen = models.BigIntegerField()
    fee_fen = models.BigIntegerField()
    errors = models.JSONField(default=list)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(channel__in=list(CHANNELS)), name="treasury_statement_channel"
            ),
            models.CheckConstraint(condition=Q(kind__in=STATEMENT_KINDS), name="treasury_statement_kind"),
        ]
        indexes = [
            models.Index(fields=["day", "channel", "kind", "-id"], name="treasury_statement_day"),
            models.Index(fields=["sm3"], name="treasury_statement_sm3"),
        ]


class StatementLine(models.Model):
    """A line of a usable statement. `key` is what it is known by: the channel's number of a payment, our
    number of a refund; lines of a fund flow, fees among them (`other`), are known by `of_id`, the channel's
    number of the payment."""

    append_only = True

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="+", db_index=False)
    line = models.IntegerField()
    channel = models.CharField(max_length=16)
    day = models.DateField()
    kind = models.CharField(max_length=8)
    key = models.CharField(max_length=64)
    number = models.CharField(max_length=64)
    channel_id = models.CharField(max_length=64)
    of_number = models.CharField(max_length=64)
    of_id = models.CharField(max_length=64, blank=True, db_default="")
    amount_fen = models.BigIntegerField()
    fee_millifen = models.BigIntegerField()
    at = models.DateTimeField()
    status = models.CharField(max_length=32, blank=True)
    pay_code = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ["statement_id", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_fen__gte=0), name="treasury_line_not_negative"),
        ]
        indexes = [
            models.Index(fields=["day"], name="treasury_line_day"),
            models.Index(fields=["key"], name="treasury_line_key"),
            models.Index(fields=["number"], name="treasury_line_number"),
            models.Index(fields=["of_id"], name="treasury_line_of_id"),
        ]


class Fetch(models.Model):
    """What is asked of a channel for a day, until it has given it: `done_at`. `kind` as of a statement, or
    `confirm` for the confirmations of the finance office."""

    channel = models.CharField(max_length=16)
    kind = models.CharField(max_length=8)
    day = models.DateField()
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    done_at = models.DateTimeField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["day", "channel", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "kind", "day"], name="treasury_fetch_once"),
            models.CheckConstraint(condition=Q(channel__in=list(CHANNELS)), name="treasury_fetch_channel"),
            models.CheckConstraint(condition=Q(kind__in=FETCH_KINDS), name="treasury_fetch_kind"),
            models.CheckConstraint(
                condition=Q(done_at=None, next_try_at__isnull=False)
                | Q(done_at__isnull=False, next_try_at=None),
                name="treasury_fetch_ends",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(done_at=None), name="treasury_to_fetch"),
        ]


class Confirmation(models.Model):
    """The finance office has money (5996). `tra_no` tells two payments of one code from a repetition."""

    append_only = True

    tra_no = models.CharField(max_length=64, unique=True)
    pay_code = models.CharField(max_length=32, db_index=True)
    amount_fen = models.BigIntegerField()
    day = models.DateField(db_index=True)
    at = models.DateTimeField()
    pay_mode = models.CharField(max_length=2, blank=True)
    channel_id = models.CharField(max_length=64, blank=True)
    msg_id = models.CharField(max_length=32, blank=True)
    received_at = models.DateTimeField()

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="treasury_confirmed_something"),
        ]


class ConfirmationWord(models.Model):
    """Another word of the finance office about a payment that it has confirmed; the last one counts. In the
    books stands what it said first. `day` is that of the confirmation."""

    append_only = True

    confirmation = models.ForeignKey(Confirmation, on_delete=models.PROTECT, related_name="words")
    pay_code = models.CharField(max_length=32)
    amount_fen = models.BigIntegerField()
    day = models.DateField(db_index=True)
    msg_id = models.CharField(max_length=32, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="treasury_word_of_something"),
        ]


class ToPost(models.Model):
    """What has come and is not in the books yet; goes when it is posted, or is found to move nothing.

    `post_tries` were in vain, the last because of `post_problem`; before `post_after` there is no other.
    """

    confirmation = models.OneToOneField(Confirmation, on_delete=models.PROTECT, related_name="+", null=True)
    statement = models.OneToOneField(Statement, on_delete=models.PROTECT, related_name="+", null=True)
    post_tries = models.IntegerField(default=0, db_default=0)
    post_after = models.DateTimeField(null=True)
    post_problem = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmation=None, statement__isnull=False)
                | Q(confirmation__isnull=False, statement=None),
                name="treasury_to_post_one",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(post_tries__gt=0), name="treasury_not_posted"),
        ]


class PaybackTold(models.Model):
    """What the finance office said last that it has paid back of a payment (退付), or is about to."""

    tra_no = models.CharField(max_length=64, unique=True)
    pay_code = models.CharField(max_length=32)
    refunded_fen = models.BigIntegerField()
    told_at = models.DateTimeField()

    objects = CityWork.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(refunded_fen__gte=0), name="treasury_payback_not_negative"),
        ]


class Run(models.Model):
    """One reconciliation. `digest` is of its result: equal runs have equal ones."""

    append_only = True

    first = models.DateField()
    last = models.DateField()
    orders = models.IntegerField()
    matched = models.IntegerField()
    breaks = models.IntegerField()
    surplus_fen = models.BigIntegerField()
    shortage_fen = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="treasury_run_days"),
            models.CheckConstraint(
                condition=Q(surplus_fen__gte=0, shortage_fen__lte=0), name="treasury_run_signs"
            ),
        ]


class BreakRow(models.Model):
    """A break from the run that first saw it until one that does not. `fen` above zero is surplus.

    `posted_fen` is what stands in the books for it, after `posts` entries (services.posting);
    `post_tries`, `post_after` and `post_problem` are those of `ToPost`.
    """

    kind = models.CharField(max_length=24)
    channel = models.CharField(max_length=16)
    key = models.CharField(max_length=80)
    day = models.DateField()
    fen = models.BigIntegerField()
    number = models.CharField(max_length=64, blank=True)
    channel_id = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    since = models.DateTimeField()
    first_run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", db_index=False)
    last_run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", db_index=False)
    owner = models.CharField(max_length=80, blank=True)
    explanation = models.CharField(max_length=200, blank=True)
    explained_by = models.CharField(max_length=80, blank=True)
    signed_by = models.CharField(max_length=80, blank=True)
    posted_fen = models.BigIntegerField(default=0)
    posts = models.SmallIntegerField(default=0)
    post_tries = models.IntegerField(default=0, db_default=0)
    post_after = models.DateTimeField(null=True)
    post_problem = models.CharField(max_length=200, blank=True, db_default="")

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["since", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(BREAK.state_codes)), name="treasury_break_state"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="treasury_break_kind"),
            models.UniqueConstraint(
                fields=["kind", "channel", "key"], condition=~Q(state="gone"), name="treasury_break_once"
            ),
            models.CheckConstraint(
                condition=Q(signed_by="") | (~Q(explained_by="") & ~Q(signed_by=F("explained_by"))),
                name="treasury_break_two_people",
            ),
            models.CheckConstraint(
                condition=~Q(state=SIGNED) | ~Q(signed_by=""), name="treasury_break_signed_by_somebody"
            ),
            models.CheckConstraint(
                condition=Q(posted_fen=0) | Q(posts__gt=0), name="treasury_break_posted_by_entries"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(post_tries__gt=0), name="treasury_break_unposted"),
            models.Index(fields=["day"], condition=~Q(state="gone"), name="treasury_break_day"),
            models.Index(fields=["state", "since"], name="treasury_break_work"),
        ]

    @property
    def mark(self) -> str:
        """Stands for what a second person agrees to: with another amount or explanation it is another."""
        said = json.dumps([self.fen, self.detail, self.explanation, self.explained_by])
        return hashlib.sha256(said.encode()).hexdigest()[:16]

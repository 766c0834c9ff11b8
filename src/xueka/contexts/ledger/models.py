"""The books: entries with their postings, and the periods that are closed. All of it is append-only."""

from django.db import models
from django.db.models import Q

from xueka.contexts.ledger.domain.chart import ACCOUNTS, CHANNELS
from xueka.contexts.ledger.domain.entries import KEY_LENGTH, LARGEST_FEN, REFERENCE_LENGTH
from xueka.platform.identity.scope import CityWork


class Entry(models.Model):
    """One event in the books. `on` is its day in Shanghai, `digest` what is known again under the same key.

    `transaction` is set by the database: postings belong to the transaction that made their entry.
    """

    append_only = True

    key = models.CharField(max_length=KEY_LENGTH, unique=True)
    kind = models.CharField(max_length=32)
    on = models.DateField()
    about = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    transaction = models.BigIntegerField(default=0)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="ledger_entry_has_key"),
            models.CheckConstraint(condition=~Q(kind=""), name="ledger_entry_has_kind"),
        ]
        indexes = [models.Index(fields=["on", "id"], name="ledger_entry_by_day")]


class Posting(models.Model):
    """One side of an entry, in signed fen."""

    append_only = True

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings")
    line = models.SmallIntegerField()
    account = models.CharField(max_length=24)
    fen = models.BigIntegerField()
    channel = models.CharField(max_length=16, blank=True)
    reference = models.CharField(max_length=REFERENCE_LENGTH, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["entry_id", "line"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "line"], name="ledger_line_once"),
            models.CheckConstraint(condition=Q(line__gte=1), name="ledger_line_from_one"),
            models.CheckConstraint(condition=Q(account__in=list(ACCOUNTS)), name="ledger_account_known"),
            models.CheckConstraint(condition=Q(channel__in=["", *CHANNELS]), name="ledger_channel_known"),
            models.CheckConstraint(
                condition=~Q(fen=0) & Q(fen__gte=-LARGEST_FEN, fen__lte=LARGEST_FEN), name="ledger_fen"
            ),
        ]
        indexes = [
            models.Index(fields=["reference", "account"], name="ledger_by_reference"),
            models.Index(fields=["account", "entry"], name="ledger_by_account"),
        ]


class Closing(models.Model):
    """The books are closed up to and including the day `until`; `totals` are the balances of that moment."""

    append_only = True

    until = models.DateField(unique=True)
    totals = models.JSONField(default=dict)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-until"]

"""Batches for the card bureau, what was sent, what came back, and the problems that are left."""

from django.db import models
from django.db.models import F, Q


class Batch(models.Model):
    """Cards that are ordered together. It closes only when every card of it is accounted for."""

    number = models.CharField(max_length=20, unique=True)
    kind = models.ForeignKey("cards.CardKind", on_delete=models.PROTECT)
    state = models.CharField(max_length=16)
    title = models.CharField(max_length=100, blank=True)
    remake_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="remakes")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    locked_by = models.CharField(max_length=80, blank=True)
    locked_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=80, blank=True)
    approved_at = models.DateTimeField(null=True)
    card_count = models.IntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="production_two_people",
                condition=Q(approved_by="") | (~Q(approved_by=F("locked_by")) & ~Q(locked_by="")),
            ),
        ]


class BatchItem(models.Model):
    """One card's place in a batch. `outcome` is what the return files say of it."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="items")
    position = models.IntegerField()
    application = models.ForeignKey("cards.Application", on_delete=models.PROTECT, related_name="+")
    card = models.OneToOneField("cards.Card", on_delete=models.PROTECT, null=True, related_name="batch_item")
    outcome = models.CharField(max_length=16, default="pending")
    result_code = models.CharField(max_length=2, blank=True)
    result_text = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["batch_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="production_position_once"),
            models.UniqueConstraint(fields=["batch", "application"], name="production_application_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["pending", "matched", "failed", "missing", "altered", "dropped"]),
                name="production_item_outcome",
            ),
        ]


class Package(models.Model):
    """A production file: the promise to send it is stored with its bytes before anything leaves."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="packages")
    attempt = models.IntegerField()
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT)
    state = models.CharField(max_length=16, default="stored")
    tries = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)
    next_try_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledgement = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "attempt"], name="production_package_attempt"),
            models.CheckConstraint(
                condition=Q(state__in=["stored", "sent", "accepted", "refused"]),
                name="production_package_state",
            ),
        ]


class ReturnFile(models.Model):
    """A return file as it came; a refused one is kept with its reason and changes nothing else."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="returns")
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT)
    return_number = models.IntegerField(null=True)
    state = models.CharField(max_length=16)
    refusal_code = models.CharField(max_length=32, blank=True)
    refusal_text = models.TextField(blank=True)
    counts = models.JSONField(default=dict)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=80)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["applied", "refused", "repeated"]), name="production_return_state"
            ),
            models.UniqueConstraint(
                fields=["batch", "return_number"],
                condition=Q(state="applied"),
                name="production_return_applied_once",
            ),
        ]


class Problem(models.Model):
    """Something a return file (or its absence) left open; it has an owner and an age."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="problems")
    return_file = models.ForeignKey(ReturnFile, on_delete=models.PROTECT, null=True, related_name="problems")
    kind = models.CharField(max_length=16)
    line = models.IntegerField(null=True)
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, null=True, related_name="+")
    detail = models.JSONField(default=dict)
    owner = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=16, default="open")
    opened_at = models.DateTimeField()
    resolution = models.CharField(max_length=16, blank=True)
    resolved_by = models.CharField(max_length=80, blank=True)
    resolved_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["opened_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["failed", "missing", "duplicate", "unknown", "altered", "refused_file"]
                ),
                name="production_problem_kind",
            ),
            models.CheckConstraint(
                name="production_problem_resolved",
                condition=Q(state="open", resolved_at__isnull=True)
                | Q(state="resolved", resolved_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["opened_at"], condition=Q(state="open"), name="production_open_problems")
        ]


class Partner(models.Model):
    """A card bureau: its address, its pinned host key and its SM2 public key, entered by two people."""

    code = models.CharField(max_length=32, primary_key=True)
    name = models.CharField(max_length=64)
    host = models.CharField(max_length=100)
    port = models.IntegerField()
    username = models.CharField(max_length=64)
    host_key = models.TextField()
    public_key = models.TextField()
    fingerprint = models.CharField(max_length=64)
    entered_by = models.CharField(max_length=80)
    confirmed_by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by="") | ~Q(confirmed_by=F("entered_by")),
                name="production_partner_two_people",
            )
        ]

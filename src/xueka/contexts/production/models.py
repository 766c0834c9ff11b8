"""Batches for the card bureau, what was sent, what came back, and the problems that are left."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.production.domain.outcomes import OPEN, OUTCOMES, PROBLEM_KINDS, REFUSED_FILE
from xueka.contexts.production.domain.transitions import BATCH
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.identity.scope import CityWork


class Batch(models.Model):
    """Cards that are ordered together. It closes only when every card of it is accounted for."""

    number = models.CharField(max_length=20, unique=True)
    kind = models.ForeignKey("cards.CardKind", on_delete=models.PROTECT)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    title = models.CharField(max_length=100, blank=True)
    remake_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="remakes")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    locked_by = models.CharField(max_length=80, blank=True)
    locked_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=80, blank=True)
    approved_at = models.DateTimeField(null=True)
    card_count = models.IntegerField(default=0)
    build_error = models.TextField(blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="production_two_people",
                condition=Q(approved_by="") | (~Q(approved_by=F("locked_by")) & ~Q(locked_by="")),
            ),
            models.CheckConstraint(
                name="production_batch_state", condition=Q(state__in=list(BATCH.state_codes))
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="production_batch_work")]


class BatchItem(models.Model):
    """One card's place in a batch. `outcome` is what the return files say of it (domain/outcomes.py).

    `reported` keeps fields 2 to 7 of the return line that settled the card, so that a later line can be told
    from a contradiction (docs/interfaces/card-bureau.md §11.2).
    """

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="items")
    position = models.IntegerField()
    application = models.ForeignKey("cards.Application", on_delete=models.PROTECT, related_name="+")
    card = models.OneToOneField("cards.Card", on_delete=models.PROTECT, null=True, related_name="batch_item")
    outcome = models.CharField(max_length=16, default="pending")
    result_code = models.CharField(max_length=2, blank=True)
    result_text = models.CharField(max_length=200, blank=True)
    reported = models.CharField(max_length=160, blank=True)
    made_at = models.DateTimeField(null=True)
    return_file = models.ForeignKey("ReturnFile", on_delete=models.PROTECT, null=True, related_name="settled")

    class Meta:
        ordering = ["batch_id", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "position"],
                deferrable=models.Deferrable.DEFERRED,
                name="production_position_once",
            ),
            models.UniqueConstraint(fields=["batch", "application"], name="production_application_once"),
            models.UniqueConstraint(
                fields=["application"], condition=Q(outcome__in=OPEN), name="production_one_open_batch"
            ),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="production_item_outcome"),
            models.CheckConstraint(
                condition=~Q(outcome__in=["matched", "failed"]) | Q(return_file__isnull=False),
                name="production_settled_by_a_file",
            ),
        ]


class Package(models.Model):
    """A production file: the promise to send it is stored with its bytes before anything leaves.

    `sha256` repeats the digest in a hash that the database can compute, so that `verify` can compare the
    stored bytes with it; the digest that the bureau knows is the SM3 of the file. `keys` are those it was
    made for. `started_at` is the stored intent to send: from then on the bureau may have the file.
    """

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="packages")
    attempt = models.IntegerField()
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT)
    keys = models.ForeignKey("PartnerKeys", on_delete=models.PROTECT, related_name="+")
    sha256 = models.BinaryField(max_length=32)
    state = models.CharField(max_length=16, default="stored")
    built_at = models.DateTimeField()
    tries = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)
    next_try_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledgement = models.JSONField(default=dict)

    class Meta:
        ordering = ["batch_id", "attempt"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "attempt"], name="production_package_attempt"),
            models.UniqueConstraint(
                fields=["batch"], condition=~Q(state="refused"), name="production_one_good_package"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["stored", "sent", "accepted", "refused"]),
                name="production_package_state",
            ),
            models.CheckConstraint(
                condition=Q(state="stored", sent_at__isnull=True)
                | (~Q(state="stored") & Q(sent_at__isnull=False)),
                name="production_package_sent",
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(started_at__isnull=False, started_at__lte=F("sent_at")),
                name="production_package_intent",
            ),
        ]


class ReturnFile(models.Model):
    """A return file as it came; a refused one is kept with its reason and changes nothing else.

    `keys` are those with which its signature was verified; none where it was refused before or for that.
    """

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="returns")
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT)
    keys = models.ForeignKey("PartnerKeys", on_delete=models.PROTECT, null=True, related_name="+")
    return_number = models.IntegerField(null=True)
    final = models.BooleanField(default=False)
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
            models.CheckConstraint(
                condition=~Q(state="applied")
                | Q(batch__isnull=False, return_number__isnull=False, keys__isnull=False),
                name="production_applied_to_a_batch",
            ),
        ]


class Problem(models.Model):
    """Something a return file (or its absence) left open; it has an owner and an age."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="problems")
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

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["opened_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=PROBLEM_KINDS), name="production_problem_kind"),
            models.CheckConstraint(
                condition=Q(batch__isnull=False) | Q(kind=REFUSED_FILE), name="production_problem_batch"
            ),
            models.CheckConstraint(
                name="production_problem_resolved",
                condition=Q(state="open", resolved_at__isnull=True)
                | Q(state="resolved", resolved_at__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["card"],
                condition=Q(state="open", kind__in=["missing", "altered"]),
                name="production_one_problem_per_card",
            ),
        ]
        indexes = [
            models.Index(fields=["opened_at"], condition=Q(state="open"), name="production_open_problems")
        ]


class InboxFile(models.Model):
    """What was taken from the bureau's out folder: the city deletes nothing there and remembers instead.

    `outcome` is applied, refused or repeated (a return file), acknowledged or repeated (an acknowledgement),
    or ignored with the reason in `note`.
    """

    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    modified = models.BigIntegerField()
    sm3 = models.BinaryField(max_length=32)
    outcome = models.CharField(max_length=16)
    note = models.TextField(blank=True)
    taken_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["name", "size", "modified"], name="production_taken_once")
        ]


class Partner(models.Model):
    """A card bureau: its address, its pinned host key and its SM2 public keys, entered by two people.

    Keys are PEM; fingerprints are the SM3 of the key's DER (card-bureau.md §2). A bureau with one pair enters
    the same key twice. Nothing is sent and nothing is accepted before the second person has confirmed. Then
    the bureau is `in_use`, and no other one is.
    """

    code = models.CharField(max_length=32, primary_key=True)
    name = models.CharField(max_length=64)
    host = models.CharField(max_length=100)
    port = models.IntegerField()
    username = models.CharField(max_length=64)
    host_key = models.TextField()
    signing_key = models.TextField()
    signing_fingerprint = models.CharField(max_length=64)
    encryption_key = models.TextField()
    encryption_fingerprint = models.CharField(max_length=64)
    entered_by = models.CharField(max_length=80)
    entered_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=80, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    in_use = models.BooleanField(default=False)
    last_contact_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)
    next_try_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by="") | ~Q(confirmed_by=F("entered_by")),
                name="production_partner_two_people",
            ),
            models.CheckConstraint(
                condition=Q(in_use=False) | ~Q(confirmed_by=""), name="production_partner_confirmed"
            ),
            models.UniqueConstraint(
                fields=["in_use"], condition=Q(in_use=True), name="production_one_partner_in_use"
            ),
        ]


class PartnerKeys(models.Model):
    """The public keys of a bureau as two people have confirmed them; new keys are a new row.

    Packages name the row they were made for, return files the row that their signature was verified with.
    """

    append_only = True

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="keys")
    signing_key = models.TextField()
    signing_fingerprint = models.CharField(max_length=64)
    encryption_key = models.TextField()
    encryption_fingerprint = models.CharField(max_length=64)
    entered_by = models.CharField(max_length=80)
    confirmed_by = models.CharField(max_length=80)
    confirmed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(confirmed_by="") & ~Q(confirmed_by=F("entered_by")),
                name="production_keys_two_people",
            ),
        ]

    @property
    def signing_public_key(self) -> PublicKey:
        return PublicKey.from_pem(self.signing_key.encode())

    @property
    def encryption_public_key(self) -> PublicKey:
        return PublicKey.from_pem(self.encryption_key.encode())


class KeyDelivery(models.Model):
    """How the keys of a kind's cards come onto them at the bureau: entered by one, confirmed by another.

    `plan` is the JSON form of domain/bureau/card_keys.KeyPlan, `digest` its SM3: what the second person
    repeats. One is in force per kind, and at most one waits. Without one a package carries no keys.
    """

    kind = models.ForeignKey("cards.CardKind", on_delete=models.PROTECT, related_name="+")
    plan = models.JSONField()
    digest = models.CharField(max_length=64)
    entered_by = models.CharField(max_length=80)
    entered_at = models.DateTimeField()
    confirmed_by = models.CharField(max_length=80, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    in_force = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by="", confirmed_at=None)
                | (~Q(confirmed_by="") & Q(confirmed_at__isnull=False) & ~Q(confirmed_by=F("entered_by"))),
                name="production_delivery_two_people",
            ),
            models.CheckConstraint(
                condition=Q(in_force=False) | ~Q(confirmed_by=""), name="production_delivery_confirmed"
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(in_force=True), name="production_one_delivery_in_force"
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(confirmed_by=""), name="production_one_delivery_waiting"
            ),
        ]

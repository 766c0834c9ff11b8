"""Closes of weeks with what is in them, remittances, receipts collected, what the treasury gives back."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.closing.domain.transitions import CLOSE, DROPPED, REMITTED, SIGNED
from xueka.contexts.ledger.api import CHANNELS
from xueka.contexts.payments.api import DIRECT, FEE_BEARERS, MERCHANT, SETTLEMENTS, Payment, Refund
from xueka.platform.identity.scope import CityWork

LIVE = ~Q(state=DROPPED)


def _model(prefix: str, remit: str) -> list[models.BaseConstraint]:
    """The two settlement models: collected and remitted, or confirmed; never both in one row."""
    merchant = Q(**{"settlement": MERCHANT, "confirmed_fen": 0, remit: F("gross_fen") - F("refunded_fen")})
    direct = Q(**{"settlement": DIRECT, "refunded_fen": 0, remit: 0, "confirmed_fen": F("gross_fen")})
    amounts = Q(gross_fen__gte=0, refunded_fen__gte=0, refunded_fen__lte=F("gross_fen"))
    return [
        models.CheckConstraint(condition=merchant | direct, name=f"closing_{prefix}_one_model"),
        models.CheckConstraint(condition=amounts, name=f"closing_{prefix}_amounts"),
        models.CheckConstraint(condition=Q(channel__in=list(CHANNELS)), name=f"closing_{prefix}_channel"),
    ]


class Close(models.Model):
    """A week's close. `prepared` is the digest of what was prepared; signing it anew must come to the same.

    From signing on: `seq` counts without a gap, `previous` is the digest of the close before, `digest` that
    of the document, `signature` is made over the document's bytes by the key of that fingerprint.
    """

    number = models.CharField(max_length=16, unique=True)
    monday = models.DateField()
    sunday = models.DateField()
    due = models.DateField()
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    prepared = models.CharField(max_length=64)
    prepared_by = models.CharField(max_length=80)
    prepared_at = models.DateTimeField()
    to_remit_fen = models.BigIntegerField()
    confirmed_fen = models.BigIntegerField()
    seq = models.IntegerField(null=True, unique=True)
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    document = models.ForeignKey(
        "files.StoredFile", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    signature = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    signed_by = models.CharField(max_length=80, blank=True)
    signed_at = models.DateTimeField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(CLOSE.state_codes)), name="closing_close_state"
            ),
            models.UniqueConstraint(fields=["monday"], condition=LIVE, name="closing_week_once"),
            models.UniqueConstraint(
                fields=["previous"], condition=Q(seq__isnull=False), name="closing_chain_does_not_fork"
            ),
            models.CheckConstraint(
                condition=Q(signed_by="") | ~Q(signed_by=F("prepared_by")), name="closing_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[SIGNED, REMITTED])
                | (
                    Q(seq__gte=1, document__isnull=False, signed_at__isnull=False)
                    & ~Q(signed_by="")
                    & ~Q(digest="")
                    & ~Q(signature="")
                    & ~Q(fingerprint="")
                ),
                name="closing_signed_whole",
            ),
        ]


class Part(models.Model):
    """A channel of a signed close in one settlement model."""

    append_only = True

    close = models.ForeignKey(Close, on_delete=models.PROTECT, related_name="parts", db_index=False)
    channel = models.CharField(max_length=16)
    settlement = models.CharField(max_length=16)
    orders = models.IntegerField()
    gross_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()
    to_remit_fen = models.BigIntegerField()
    confirmed_fen = models.BigIntegerField()
    fees_fen = models.BigIntegerField()
    fee_bearer = models.CharField(max_length=16)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["close_id", "channel", "settlement"]
        constraints = [
            models.UniqueConstraint(fields=["close", "channel", "settlement"], name="closing_part_once"),
            models.CheckConstraint(
                condition=Q(settlement__in=list(SETTLEMENTS)), name="closing_part_settlement"
            ),
            models.CheckConstraint(condition=Q(fee_bearer__in=list(FEE_BEARERS)), name="closing_part_bearer"),
            *_model("part", "to_remit_fen"),
        ]


class Line(models.Model):
    """A payment in a signed close: in this one and in no other, for ever."""

    append_only = True

    part = models.ForeignKey(Part, on_delete=models.PROTECT, related_name="lines")
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=16)
    settlement = models.CharField(max_length=16)
    gross_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField()
    remit_fen = models.BigIntegerField()
    confirmed_fen = models.BigIntegerField()

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["part_id", "id"]
        constraints = _model("line", "remit_fen")


class Remittance(models.Model):
    """A channel's money of a close was paid to the treasury under the number of its 一般缴款书; once."""

    append_only = True

    part = models.OneToOneField(Part, on_delete=models.PROTECT, related_name="remittance")
    slip_number = models.CharField(max_length=40, unique=True)
    on = models.DateField()
    amount_fen = models.BigIntegerField()
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="closing_remits_something"),
            models.CheckConstraint(condition=~Q(slip_number=""), name="closing_remits_under_a_number"),
        ]


class ReceiptCollection(models.Model):
    """领取票据 of a week as a person found it; the last one of a week counts.

    `drawn` numbers came from the finance office, `issued` and `red` e-receipts went out; `lacking` payments
    still wanted one, for the reason in `note`.
    """

    append_only = True

    monday = models.DateField()
    drawn = models.IntegerField()
    issued = models.IntegerField()
    issued_fen = models.BigIntegerField()
    red = models.IntegerField()
    red_fen = models.BigIntegerField()
    lacking = models.IntegerField()
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(drawn__gte=0, issued__gte=0, red__gte=0, lacking__gte=0),
                name="closing_receipts_counted",
            ),
            models.CheckConstraint(
                condition=Q(lacking=0) | ~Q(note=""), name="closing_receipts_lacking_told"
            ),
        ]
        indexes = [models.Index(fields=["monday", "-id"], name="closing_receipts_of_week")]


class BackPayment(models.Model):
    """退付: a refund that the treasury pays back. Its state is the refund's own.

    Money of payment codes is asked back by message 8991; what we had remitted is asked for on paper, and
    `document_number` is the finance office's answer.
    """

    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, related_name="+")
    settlement = models.CharField(max_length=16)
    document_number = models.CharField(max_length=40, blank=True)
    registered_at = models.DateTimeField()
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    said = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(settlement__in=list(SETTLEMENTS)), name="closing_back_payment_settlement"
            ),
            models.CheckConstraint(
                condition=Q(next_try_at=None) | Q(settlement=DIRECT, ended_at=None),
                name="closing_asks_finance",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=~Q(next_try_at=None), name="closing_back_to_ask")
        ]

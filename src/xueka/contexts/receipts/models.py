"""Fiscal e-receipts, the numbers drawn for them, and the seals that finance signs with."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.payments.api import ScopedByOrder
from xueka.contexts.receipts.domain.transitions import DUE, ISSUED, KEPT, RECEIPT
from xueka.platform.identity.scope import CityWork

#: Numbers that one draw may ask for (nontax.md §8).
MOST_NUMBERS = 999_999


class Seal(models.Model):
    """A public key by which the finance office signs receipts, kept so that old ones can be verified."""

    append_only = True

    fingerprint = models.CharField(max_length=64, primary_key=True)
    pem = models.TextField()
    seal_id = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    since = models.DateTimeField()


class Draw(models.Model):
    """领取票据: a block of numbers asked of the finance office. `first` is there once it has answered.

    Asked again under the same `msg_id` of the same `day` it is the same block. `used` of them, from the
    first on, stand on receipts. `refused` says why there is none.
    """

    msg_id = models.CharField(max_length=20, unique=True)
    day = models.DateField()
    code = models.CharField(max_length=8)
    count = models.IntegerField()
    first = models.BigIntegerField(null=True)
    used = models.IntegerField(default=0)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    drawn_at = models.DateTimeField(null=True)
    refused = models.CharField(max_length=200, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(count__gte=1, count__lte=MOST_NUMBERS), name="receipts_draw_count"
            ),
            models.CheckConstraint(
                condition=Q(first=None, drawn_at=None, used=0)
                | Q(first__gte=0, drawn_at__isnull=False, used__gte=0, used__lte=F("count"), refused=""),
                name="receipts_draw_answered",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(used__lt=F("count")), name="receipts_draw_stock"),
        ]


class Receipt(models.Model):
    """One e-receipt: blue for a payment that paid an order, red for what of it went back.

    `amount_fen` of a red one is below zero, `blue` the receipt that it takes back. `since` is the moment of
    the payment or of the refund. `draft` is the document as it is sent, fixed with the number; `file` the
    document as finance gave it, `signature` its detached one, over the very bytes.
    """

    order = models.ForeignKey("payments.Order", on_delete=models.PROTECT, related_name="receipts")
    payment = models.ForeignKey("payments.Payment", on_delete=models.PROTECT, related_name="receipts")
    refund = models.OneToOneField(
        "payments.Refund", on_delete=models.PROTECT, null=True, related_name="receipt"
    )
    blue = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reds")
    amount_fen = models.BigIntegerField()
    pay_code = models.CharField(max_length=20)
    since = models.DateTimeField()
    code = models.CharField(max_length=8, blank=True)
    number = models.CharField(max_length=10, blank=True)
    check_code = models.CharField(max_length=6, blank=True)
    draft = models.BinaryField(default=b"")
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True)
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT, null=True, related_name="+")
    signature = models.BinaryField(default=b"")
    signed_at = models.DateTimeField(null=True)
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    page_url = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    refused = models.CharField(max_length=24, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    objects = ScopedByOrder.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(RECEIPT.state_codes)), name="receipts_receipt_state"
            ),
            models.CheckConstraint(
                condition=Q(amount_fen__gt=0, refund=None, blue=None)
                | Q(amount_fen__lt=0, refund__isnull=False, blue__isnull=False),
                name="receipts_red_takes_back_a_blue",
            ),
            models.UniqueConstraint(
                fields=["payment"], condition=Q(refund=None), name="receipts_one_blue_a_payment"
            ),
            models.UniqueConstraint(
                fields=["code", "number"], condition=~Q(number=""), name="receipts_number_once"
            ),
            models.CheckConstraint(
                condition=Q(state=DUE, code="", number="", check_code="")
                | Q(code__regex=r"^\d{8}$", number__regex=r"^\d{10}$", check_code__regex=r"^\d{6}$")
                & ~Q(state=DUE)
                & ~Q(draft=b""),
                name="receipts_numbered_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[ISSUED, KEPT]) | Q(issued_at__isnull=False),
                name="receipts_issued_at",
            ),
            models.CheckConstraint(
                condition=Q(file=None, signed_at=None, seal=None, signature=b"") & ~Q(state=KEPT)
                | Q(file__isnull=False, signed_at__isnull=False, seal__isnull=False) & ~Q(signature=b""),
                name="receipts_kept_signed",
            ),
            models.CheckConstraint(
                condition=~Q(state=KEPT) | Q(next_try_at=None), name="receipts_kept_is_done"
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=~Q(next_try_at=None), name="receipts_to_do"),
            models.Index(fields=["issued_at"], name="receipts_issued"),
            models.Index(fields=["state", "id"], name="receipts_work"),
            models.Index(fields=["pay_code"], name="receipts_pay_code"),
        ]


class Followed(models.Model):
    """How far the settled orders have been read; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="receipts_followed_once")]

"""Orders, attempts to pay, refunds, notices: separate objects with their own states, never deleted."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from xueka.contexts.ledger.api import CHANNELS
from xueka.contexts.payments.domain.transitions import OPEN, ORDER, PAID, PAYMENT, REFUND, REFUNDING
from xueka.kernel.machine import Machine
from xueka.platform.identity.scope import CityWork, Scope

#: `direct`: money reaches the treasury itself and is only confirmed. `merchant`: collected gross, remitted.
DIRECT, MERCHANT = "direct", "merchant"
SETTLEMENTS = {DIRECT: "直达国库", MERCHANT: "商户代收"}
FEE_BEARERS = {"centre": "市数字教育中心", "provider": "运维单位", "none": "不收手续费"}
#: Why money is not (or not all) an order's.
STRAYS = {"late": "订单关闭后到账", "double": "重复缴费", "short": "少缴", "over": "多缴"}
CHANNEL_WAY, PAYBACK_WAY = "channel", "payback"
WAYS = {CHANNEL_WAY: "原路退回", PAYBACK_WAY: "国库退付"}
SOURCES = {"income": "订单缴款", "payers": "应退缴款人"}
#: What became of a notice; empty: still to be judged.
OUTCOMES = {
    "applied": "已入账",
    "repeated": "重复",
    "noted": "无须入账",
    "held": "金额不符，已向渠道查询",
    "foreign": "不是本商户",
    "stray": "没有对应订单，转待查",
    "refused": "验证未通过",
}
#: Fen; one replacement costs a few yuan, so anything beyond this is a mistake.
LARGEST_FEN = 10_000_000


def _state(machine: Machine) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(state__in=list(machine.state_codes)), name=f"payments_{machine.name}_state"
    )


def _amount(name: str, field: str = "amount_fen") -> models.CheckConstraint:
    condition = Q(**{f"{field}__gt": 0, f"{field}__lte": LARGEST_FEN})
    return models.CheckConstraint(condition=condition, name=name)


class ScopedOrders(models.QuerySet):
    def visible_to(self, scope: Scope) -> Self:
        where = scope.filter(
            district="student__school__district_id", school="student__school__code", student="student_id"
        )
        return self.filter(where)


class ScopedByOrder(models.QuerySet):
    def visible_to(self, scope: Scope) -> Self:
        where = scope.filter(
            district="order__student__school__district_id",
            school="order__student__school__code",
            student="order__student_id",
        )
        return self.filter(where)


class ChannelAccount(models.Model):
    """Our account at a channel. Keys lie in sealed files (`services.channels`), never here."""

    code = models.CharField(max_length=16, primary_key=True)
    settlement = models.CharField(max_length=16)
    fee_bearer = models.CharField(max_length=16)
    gateway = models.CharField(max_length=200)
    merchant_id = models.CharField(max_length=64)
    app_id = models.CharField(max_length=64, blank=True)
    notify_url = models.CharField(max_length=255, blank=True)
    is_open = models.BooleanField(default=True)
    settings = models.JSONField(default=dict)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(code__in=list(CHANNELS)), name="payments_channel_known"),
            models.CheckConstraint(
                condition=Q(settlement__in=list(SETTLEMENTS)), name="payments_channel_settlement"
            ),
            models.CheckConstraint(
                condition=Q(fee_bearer__in=list(FEE_BEARERS)), name="payments_channel_fees"
            ),
        ]


class TariffVersion(models.Model):
    """A tariff that was adopted; the one in force on a day is the last with `valid_from` on or before it."""

    append_only = True

    version = models.CharField(max_length=32, unique=True)
    valid_from = models.DateField(unique=True)
    content = models.JSONField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        ordering = ["-valid_from"]


class Order(models.Model):
    """What a family is to pay. `subject` names what it is for: `replacement:123`. `fine`: no fee of cost.

    `success_at` is the channel's time of the payment that was credited.
    """

    number = models.CharField(max_length=20, unique=True)
    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="orders")
    subject = models.CharField(max_length=64)
    title = models.CharField(max_length=100)
    amount_fen = models.BigIntegerField()
    fine = models.BooleanField(default=False, db_default=False)
    tariff = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    success_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)

    objects = ScopedOrders.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            _state(ORDER),
            _amount("payments_order_amount"),
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(state__in=[OPEN, PAID, REFUNDING]),
                name="payments_one_live_order",
            ),
        ]
        indexes = [
            models.Index(fields=["student", "id"], name="payments_order_student"),
            models.Index(fields=["expires_at"], condition=Q(state=OPEN), name="payments_order_due"),
            models.Index(fields=["state", "id"], name="payments_order_work"),
        ]


class Payment(models.Model):
    """One attempt at one channel. `received_fen` is what has come by the channel's word, with time and id.

    `credited`: it paid the order. `stray_fen` of it is not the order's and goes back, for `stray`'s reason.
    `start` is what the payer's page was given. `remitted_in` names the close that remitted it. `asked_id`:
    not begun by us, but a second charge under another attempt's number that a channel has told of; it is
    asked for by this number of the channel.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    attempt = models.SmallIntegerField()
    channel = models.CharField(max_length=16)
    settlement = models.CharField(max_length=16)
    fee_bearer = models.CharField(max_length=16)
    out_trade_no = models.CharField(max_length=32, unique=True)
    amount_fen = models.BigIntegerField()
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    start = models.JSONField(default=dict)
    asked_id = models.CharField(max_length=64, blank=True)
    channel_id = models.CharField(max_length=64, blank=True)
    received_fen = models.BigIntegerField(null=True)
    success_at = models.DateTimeField(null=True)
    credited = models.BooleanField(default=False)
    stray = models.CharField(max_length=8, blank=True)
    stray_fen = models.BigIntegerField(default=0)
    remitted_in = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    objects = ScopedByOrder.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            _state(PAYMENT),
            _amount("payments_payment_amount"),
            models.UniqueConstraint(fields=["order", "attempt"], name="payments_attempt_once"),
            models.UniqueConstraint(
                fields=["order"], condition=Q(credited=True), name="payments_order_credited_once"
            ),
            models.UniqueConstraint(
                fields=["channel", "channel_id"], condition=~Q(channel_id=""), name="payments_channel_id_once"
            ),
            models.UniqueConstraint(
                fields=["channel", "asked_id"], condition=~Q(asked_id=""), name="payments_asked_id_once"
            ),
            models.CheckConstraint(condition=Q(channel__in=list(CHANNELS)), name="payments_payment_channel"),
            models.CheckConstraint(
                condition=Q(settlement__in=list(SETTLEMENTS)), name="payments_payment_settlement"
            ),
            models.CheckConstraint(condition=Q(stray__in=["", *STRAYS]), name="payments_stray_known"),
            models.CheckConstraint(
                condition=Q(
                    received_fen=None, success_at=None, channel_id="", credited=False, stray="", stray_fen=0
                )
                | (
                    Q(received_fen__gt=0, success_at__isnull=False)
                    & ~Q(channel_id="")
                    & (
                        Q(credited=True, received_fen=F("amount_fen") + F("stray_fen"), stray_fen__gte=0)
                        | Q(credited=False, stray_fen=F("received_fen"))
                    )
                    & (Q(stray="", stray_fen=0) | (~Q(stray="") & Q(stray_fen__gt=0)))
                ),
                name="payments_received_is_placed",
            ),
            models.CheckConstraint(
                condition=Q(remitted_in="") | Q(credited=True, settlement=MERCHANT),
                name="payments_remitted_is_collected",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=~Q(next_try_at=None), name="payments_to_ask"),
            models.Index(fields=["channel", "success_at"], name="payments_by_success"),
        ]


class Refund(models.Model):
    """Money on its way back. The sum of all that have not failed never exceeds what came (migration 0002)."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    number = models.CharField(max_length=32, unique=True)
    key = models.CharField(max_length=80, unique=True)
    amount_fen = models.BigIntegerField()
    source = models.CharField(max_length=8)
    way = models.CharField(max_length=8)
    reason = models.CharField(max_length=80)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    channel_id = models.CharField(max_length=64, blank=True)
    success_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    objects = ScopedByOrder.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            _state(REFUND),
            _amount("payments_refund_amount"),
            models.CheckConstraint(condition=Q(source__in=list(SOURCES)), name="payments_refund_source"),
            models.CheckConstraint(condition=Q(way__in=list(WAYS)), name="payments_refund_way"),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=~Q(next_try_at=None), name="payments_refund_to_ask"
            ),
            models.Index(fields=["state", "id"], name="payments_refund_work"),
        ]


class Notice(models.Model):
    """What a channel sent, byte for byte, before anybody looked inside; a repeated delivery is counted."""

    channel = models.CharField(max_length=16)
    digest = models.CharField(max_length=64)
    headers = models.JSONField(default=dict)
    raw = models.BinaryField()
    received_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    last_at = models.DateTimeField()
    notice_id = models.CharField(max_length=64, blank=True)
    out_trade_no = models.CharField(max_length=32, blank=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="notices")
    outcome = models.CharField(max_length=16, blank=True)
    said = models.CharField(max_length=200, blank=True)
    judged_at = models.DateTimeField(null=True)
    tries = models.IntegerField(default=0)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "digest"], name="payments_delivery_once"),
            models.UniqueConstraint(
                fields=["channel", "notice_id"],
                condition=Q(outcome="applied"),
                name="payments_notice_applied_once",
            ),
            models.CheckConstraint(condition=Q(outcome__in=["", *OUTCOMES]), name="payments_notice_outcome"),
            models.CheckConstraint(
                condition=Q(outcome="", judged_at=None) | (~Q(outcome="") & Q(judged_at__isnull=False)),
                name="payments_notice_judged",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(outcome=""), name="payments_notice_to_judge"),
            models.Index(fields=["outcome", "id"], name="payments_notice_outcomes"),
            models.Index(fields=["channel", "received_at"], name="payments_notice_came"),
        ]


class Unknown(models.Model):
    """Money that a channel told of under a number that we never gave. The channel is asked by its own number:
    it comes into the books (`booked`), or there is no such money (`denied`)."""

    channel = models.CharField(max_length=16)
    out_trade_no = models.CharField(max_length=32)
    channel_id = models.CharField(max_length=64)
    state = models.CharField(max_length=8, default="asked")
    fen = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    tries = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "channel_id"], name="payments_unknown_once"),
            models.CheckConstraint(
                condition=Q(state="asked", fen=None, next_try_at__isnull=False)
                | Q(state="booked", fen__gt=0, next_try_at=None)
                | Q(state="denied", fen=None, next_try_at=None),
                name="payments_unknown_state",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="asked"), name="payments_unknown_to_ask"),
        ]


class Settled(models.Model):
    """An order has reached a state that others wait for. `seq` is given afterwards, in the order of commits,
    by one sweep, so that whoever reads on from a number misses nothing.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=16)
    at = models.DateTimeField()
    seq = models.BigIntegerField(null=True, unique=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["id"], condition=Q(seq=None), name="payments_to_number")]

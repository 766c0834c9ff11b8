"""The outbox: what is to be told to whom, sealed, until the gateway says what became of it."""

from django.db import models
from django.db.models import Q

from xueka.platform.crypto.sealed_columns import SealedField

#: Waits for its turn; accepted by the gateway; on the phone; will not arrive.
QUEUED, SENT, DELIVERED, FAILED = "queued", "sent", "delivered", "failed"
STATES = {QUEUED: "待发送", SENT: "已交短信网关", DELIVERED: "已送达", FAILED: "未送达"}


class Message(models.Model):
    """One text for one phone. `key` makes asking for it twice harmless, and is what the gateway knows it by.

    `envelope` opens to {phone, values}; it is emptied some days after the end. `shown_to`: the masked phone.
    A message that is not sent by `expires_at` is not sent any more: a code of yesterday helps nobody.
    """

    key = models.CharField(max_length=64, unique=True)
    template = models.CharField(max_length=32)
    shown_to = models.CharField(max_length=20)
    envelope = SealedField(when="envelope <> ''")
    state = models.CharField(max_length=16, default=QUEUED)
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    gateway_id = models.CharField(max_length=64, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(STATES)), name="outbox_state"),
            models.CheckConstraint(
                condition=Q(state__in=[DELIVERED, FAILED], ended_at__isnull=False)
                | Q(state__in=[QUEUED, SENT], ended_at__isnull=True),
                name="outbox_ended_or_not",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[QUEUED, FAILED]) | Q(sent_at__isnull=False), name="outbox_sent_before"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state__in=[QUEUED, SENT]), name="outbox_due"),
            models.Index(fields=["ended_at"], condition=~Q(envelope=b""), name="outbox_to_empty"),
        ]

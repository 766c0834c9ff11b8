"""The outbox: what is to be told to whom, sealed, until the gateway says what became of it.

Beside it: who refuses reminders, and what phones answered.
"""

from django.db import models
from django.db.models import Q

from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.messages.templates import DECISION, KINDS

#: Waits for its turn; accepted by the gateway; on the phone; will not arrive; the family wants none of these.
QUEUED, SENT, DELIVERED, FAILED, WITHHELD = "queued", "sent", "delivered", "failed", "withheld"
STATES = {
    QUEUED: "待发送",
    SENT: "已交短信网关",
    DELIVERED: "已送达",
    FAILED: "未送达",
    WITHHELD: "已退订，未发",
}
ENDED = (DELIVERED, FAILED, WITHHELD)
#: How a family said that it wants no reminders, or wants them again.
WAYS = {"reply": "回复短信", "page": "家长页面", "desk": "来电、来访"}


class Message(models.Model):
    """One text for one phone. `key` makes asking for it twice harmless, and is what the gateway knows it by.

    `envelope` opens to {phone, values}; it is emptied some days after the end. `shown_to`: the masked phone;
    `phone_index`: its blind index, by which it is counted and found. `version` of the template, `parts`: as
    carriers count. `tried_at`: the last try, whether it was answered or not.
    A message that is not sent by `expires_at` is not sent any more: a code of yesterday helps nobody.
    """

    key = models.CharField(max_length=64, unique=True)
    template = models.CharField(max_length=32)
    version = models.PositiveSmallIntegerField(default=1)
    kind = models.CharField(max_length=16, default=DECISION)
    shown_to = models.CharField(max_length=20)
    phone_index = models.BinaryField(max_length=32, default=b"")
    envelope = SealedField(when="envelope <> ''")
    parts = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=16, default=QUEUED)
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    gateway_id = models.CharField(max_length=64, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(STATES)), name="outbox_state"),
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="outbox_kind"),
            models.CheckConstraint(
                condition=Q(state__in=ENDED, ended_at__isnull=False)
                | Q(state__in=[QUEUED, SENT], ended_at__isnull=True),
                name="outbox_ended_or_not",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[QUEUED, FAILED, WITHHELD]) | Q(sent_at__isnull=False),
                name="outbox_sent_before",
            ),
            models.CheckConstraint(
                condition=~Q(state=WITHHELD) | Q(kind="reminder"), name="outbox_only_reminders_are_withheld"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state__in=[QUEUED, SENT]), name="outbox_due"),
            models.Index(fields=["ended_at"], condition=~Q(envelope=b""), name="outbox_to_empty"),
            models.Index(fields=["phone_index", "tried_at"], name="outbox_of_a_phone"),
            models.Index(fields=["tried_at"], name="outbox_tried"),
            models.Index(fields=["created_at"], name="outbox_created"),
        ]


class OptOut(models.Model):
    """A phone that wants no reminders, from `at` until `ended_at`. `words`: what was replied, or the text
    agreed to; `by`: who wrote it down, empty where the phone itself did.
    """

    phone_index = models.BinaryField(max_length=32)
    shown_to = models.CharField(max_length=20)
    at = models.DateTimeField()
    way = models.CharField(max_length=8)
    by = models.CharField(max_length=80, blank=True)
    words = models.CharField(max_length=200)
    ended_at = models.DateTimeField(null=True)
    ended_way = models.CharField(max_length=8, blank=True)
    ended_by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(way__in=list(WAYS)), name="opt_out_way"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_way="")
                | Q(ended_at__isnull=False, ended_way__in=list(WAYS)),
                name="opt_out_ended_or_not",
            ),
            models.UniqueConstraint(
                fields=["phone_index"], condition=Q(ended_at__isnull=True), name="opt_out_one_of_a_phone"
            ),
        ]


class Reply(models.Model):
    """What a phone answered. `envelope` opens to {phone, text}, emptied as those of messages are.

    `meaning`: `refuse`, `want` or nothing that the system understands.
    """

    reply_id = models.CharField(max_length=64, unique=True)
    shown_from = models.CharField(max_length=20)
    phone_index = models.BinaryField(max_length=32)
    envelope = SealedField(when="envelope <> ''")
    meaning = models.CharField(max_length=8, blank=True)
    at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["received_at"], name="reply_received")]


class Mark(models.Model):
    """How far a list of the gateway has been read (`next` of its answer)."""

    name = models.CharField(max_length=16, unique=True)
    value = models.BigIntegerField(default=0)

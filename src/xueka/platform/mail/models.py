"""Mail out, and mail in. Addresses and contents are sealed; lists show them masked."""

from django.db import models
from django.db.models import Q

from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.files.models import StoredFile

#: Waits for its turn; the mail server has taken it; the last server says it is in the box; it came back.
QUEUED, SENT, DELIVERED, FAILED = "queued", "sent", "delivered", "failed"
STATES = {QUEUED: "待发送", SENT: "已交邮件服务器", DELIVERED: "已送达", FAILED: "未送达"}
#: Of mail that came: from a person; about a mail of ours; written by a machine, and never answered by one.
PERSON, BOUNCE, MACHINE = "person", "bounce", "machine"
KINDS = {PERSON: "来信", BOUNCE: "投递回执", MACHINE: "自动邮件"}


class Mail(models.Model):
    """One mail to one address. `key` makes asking for it twice harmless.

    `token`: 128 random bits, the left side of its Message-ID: the same at each try, so that servers see a
    repetition, and only who had the mail can report on it. `purpose`: what it is, in words without personal
    values, for lists. `envelope` opens to {to, name, subject, text}; emptied when it is old.
    """

    key = models.CharField(max_length=64, unique=True)
    token = models.CharField(max_length=32, unique=True)
    purpose = models.CharField(max_length=60)
    shown_to = models.CharField(max_length=260)
    to_index = models.BinaryField(max_length=32)
    envelope = SealedField(when="envelope <> ''")
    state = models.CharField(max_length=16, default=QUEUED)
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)
    tried_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(STATES)), name="mail_state"),
            models.CheckConstraint(
                condition=Q(state__in=[DELIVERED, FAILED], ended_at__isnull=False)
                | Q(state__in=[QUEUED, SENT], ended_at__isnull=True),
                name="mail_ended_or_not",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[QUEUED, FAILED]) | Q(sent_at__isnull=False), name="mail_sent_before"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state=QUEUED), name="mail_due"),
            models.Index(fields=["created_at"], name="mail_created"),
            models.Index(fields=["sent_at"], condition=Q(sent_at__isnull=False), name="mail_sent_at"),
            models.Index(fields=["to_index"], name="mail_of_an_address"),
        ]


class Attachment(models.Model):
    """A file that goes with a mail."""

    mail = models.ForeignKey(Mail, models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField()
    file = models.ForeignKey(StoredFile, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["mail", "position"], name="mail_attachment_once"),
        ]


class Incoming(models.Model):
    """A mail that came, whole, as it came. It is kept before the sender is told that it was taken.

    `identity`: SHA-256 over Message-ID, recipients and body, so that the same mail twice is one; another
    text under a known Message-ID is kept. `envelope` opens to {from, name, to, subject, text, attachments:
    [{name, type, size}], client}; `raw` to the mail itself. Both are emptied when they are old.
    """

    identity = models.CharField(max_length=64, unique=True)
    message_id = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=8)
    shown_from = models.CharField(max_length=260, blank=True)
    from_index = models.BinaryField(max_length=32)
    raw = SealedField(when="raw <> ''", piece=5)
    envelope = SealedField(when="envelope <> ''")
    size = models.IntegerField()
    copies = models.IntegerField(default=1)
    about = models.ForeignKey(Mail, models.SET_NULL, null=True, related_name="answers")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="mail_incoming_kind"),
            models.CheckConstraint(condition=Q(size__gt=0, copies__gt=0), name="mail_incoming_sizes"),
        ]
        indexes = [models.Index(fields=["received_at"], name="mail_received")]

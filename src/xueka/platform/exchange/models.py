"""Outbox and inbox of the counterparts: messages, the order of each key, every try, the state of each line.

A *stream* is one key (a card, a student) at one counterpart in one direction. Its messages are numbered 1, 2,
3 …; what comes next is `done_seq + 1`, and nothing later leaves, or is applied, before it.
"""

from django.db import models
from django.db.models import F, Q

from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.files.models import StoredFile

OUT, IN = "out", "in"

#: Waits for its turn; the other side has it; somebody has to look at it.
QUEUED, DELIVERED, DEAD = "queued", "delivered", "dead"
OUTGOING = {QUEUED: "待发送", DELIVERED: "已送达", DEAD: "停发"}
#: Kept, not yet applied; applied; somebody has to look at it; passed over by a person.
WAITING, APPLIED, PASSED = "waiting", "applied", "passed"
INCOMING = {WAITING: "待处理", APPLIED: "已处理", DEAD: "停办", PASSED: "已略过"}

#: Calls go through; none go; one is on its way to find out.
CLOSED, OPEN, TRYING = "closed", "open", "trying"
BREAKER = {CLOSED: "畅通", OPEN: "暂停", TRYING: "试探"}


class Line(models.Model):
    """What is known of the way to one counterpart: whether it answers, and how much may go."""

    counterpart = models.CharField(max_length=32, unique=True)
    breaker = models.CharField(max_length=8, default=CLOSED)
    failures = models.IntegerField(default=0)  # in a row
    trips = models.IntegerField(default=0)  # times that it opened without a success between
    open_until = models.DateTimeField(null=True)
    tokens = models.FloatField(default=0)
    tokens_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)  # the last acceptance
    failed_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(breaker__in=list(BREAKER)), name="exchange_breaker_known"),
            models.CheckConstraint(
                condition=Q(breaker=CLOSED) | Q(open_until__isnull=False), name="exchange_open_until"
            ),
        ]


class Stream(models.Model):
    """The order of one key: `last_seq` was given (or came), up to `done_seq` all is done.

    `held`: its head is a dead letter. `attempts` and `next_at` are those of the head; while somebody sends
    it, `next_at` is when that claim is void, and `claim` whose it is.
    """

    direction = models.CharField(max_length=3)
    counterpart = models.CharField(max_length=32)
    key = models.CharField(max_length=80)
    last_seq = models.BigIntegerField(default=0)
    done_seq = models.BigIntegerField(default=0)
    held = models.BooleanField(default=False)
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField()
    claim = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["direction", "counterpart", "key"], name="exchange_one_stream"),
            models.CheckConstraint(condition=Q(direction__in=[OUT, IN]), name="exchange_direction"),
            models.CheckConstraint(
                condition=Q(done_seq__gte=0) & Q(last_seq__gte=F("done_seq")), name="exchange_done_is_given"
            ),
        ]
        indexes = [
            models.Index(
                fields=["direction", "counterpart", "next_at"],
                condition=Q(held=False, last_seq__gt=F("done_seq")),
                name="exchange_stream_due",
            ),
            models.Index(fields=["key"], name="exchange_stream_key"),
            models.Index(
                fields=["counterpart"],
                condition=Q(last_seq__gt=F("done_seq")),
                name="exchange_stream_unfinished",
            ),
        ]


class Outgoing(models.Model):
    """One message to a counterpart. `envelope` opens to its content; a large one lies in `file` instead.

    `is_void`: a person gave it up; the counterpart is told that its number is passed. `code` and `problem`
    are those of the last try.
    """

    message_id = models.CharField(max_length=64, unique=True)
    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="outgoing")
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    envelope = SealedField(when="envelope <> ''")
    file = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="+")
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()
    state = models.CharField(max_length=12, default=QUEUED)
    is_void = models.BooleanField(default=False)
    tries = models.IntegerField(default=0)
    code = models.CharField(max_length=40, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "seq"], name="exchange_one_number_a_stream"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="exchange_seq_from_one"),
            models.CheckConstraint(condition=Q(state__in=list(OUTGOING)), name="exchange_outgoing_state"),
            models.CheckConstraint(
                condition=Q(state=QUEUED, ended_at__isnull=True)
                | (~Q(state=QUEUED) & Q(ended_at__isnull=False)),
                name="exchange_outgoing_ended",
            ),
            models.CheckConstraint(condition=~Q(state=DEAD) | ~Q(code=""), name="exchange_dead_has_a_code"),
        ]
        indexes = [
            models.Index(fields=["ended_at"], condition=Q(state=DELIVERED), name="exchange_delivered_at"),
            models.Index(  # what is to be emptied, not what was
                fields=["ended_at"],
                condition=Q(state=DELIVERED) & ~Q(envelope=b""),
                name="exchange_out_to_empty",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(state=DELIVERED, file__isnull=False),
                name="exchange_out_file_to_empty",
            ),
            models.Index(fields=["id"], condition=Q(state=DEAD), name="exchange_dead_letters"),
            models.Index(  # what has not ended is few among millions; the keys alone do not tell the planner
                fields=["stream", "seq"],
                condition=Q(state__in=[QUEUED, DEAD]),
                name="exchange_out_unfinished",
            ),
            models.Index(fields=["created_at"], name="exchange_created_at"),
        ]


class Attempt(models.Model):
    """One try to hand a message over, and what was said to it. `status` 0: nobody answered."""

    append_only = True

    outgoing = models.ForeignKey(Outgoing, on_delete=models.PROTECT, related_name="attempts")
    at = models.DateTimeField()
    status = models.IntegerField()
    code = models.CharField(max_length=40, blank=True)
    said = models.CharField(max_length=200, blank=True)
    ms = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["at"], name="exchange_attempt_at")]


class Incoming(models.Model):
    """One message as it came: `raw` is its body byte for byte, sealed; `headers` those of its signature."""

    counterpart = models.CharField(max_length=32)
    message_id = models.CharField(max_length=64)
    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="incoming")
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    digest = models.BinaryField(max_length=32)
    headers = models.JSONField(default=dict)
    raw = SealedField(when="raw <> ''")
    file = models.ForeignKey(StoredFile, null=True, on_delete=models.PROTECT, related_name="+")
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    state = models.CharField(max_length=12, default=WAITING)
    tries = models.IntegerField(default=0)
    code = models.CharField(max_length=40, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["counterpart", "message_id"], name="exchange_incoming_once"),
            models.UniqueConstraint(fields=["stream", "seq"], name="exchange_incoming_number_once"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="exchange_incoming_seq"),
            models.CheckConstraint(condition=Q(state__in=list(INCOMING)), name="exchange_incoming_state"),
            models.CheckConstraint(
                condition=Q(state=WAITING, ended_at__isnull=True)
                | (~Q(state=WAITING) & Q(ended_at__isnull=False)),
                name="exchange_incoming_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state=DEAD) | ~Q(code=""), name="exchange_incoming_dead_has_a_code"
            ),
        ]
        indexes = [
            models.Index(fields=["received_at"], name="exchange_received_at"),
            models.Index(fields=["id"], condition=Q(state=DEAD), name="exchange_incoming_dead"),
            models.Index(
                fields=["stream", "seq"],
                condition=Q(state__in=[WAITING, DEAD]),
                name="exchange_in_unfinished",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(state__in=[APPLIED, PASSED]) & ~Q(raw=b""),
                name="exchange_in_to_empty",
            ),
        ]


class IncomingFile(models.Model):
    """A file that a counterpart put before the message that names it, known by the SHA-256 of its bytes."""

    counterpart = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["counterpart", "digest"], name="exchange_incoming_file_once")
        ]

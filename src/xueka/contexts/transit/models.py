"""What the transit company keeps for our cards, as it told us, and what we told it."""

from django.db import models
from django.db.models import Q

from xueka.contexts.cards.api import Card
from xueka.contexts.transit.domain.hot import REASONS
from xueka.contexts.transit.domain.transitions import (
    ASKED,
    BINDING,
    EXTENSION,
    NOT_GRANTED,
    PAPER,
    REFUSED,
)
from xueka.contexts.transit.domain.validity import FARES, STUDENT

#: How a look-up ended: answered; older than what we had; they do not know the card; nobody answered in time;
#: not to be understood; not asked, because nobody had answered just before.
ANSWERED, OLDER, UNKNOWN, SILENT, UNUSABLE, RESTING = (
    "answered", "older", "unknown", "silent", "unusable", "resting",
)  # fmt: skip
OUTCOMES = {
    ANSWERED: "已答复",
    OLDER: "答复比已有的旧",
    UNKNOWN: "对方没有这张卡",
    SILENT: "对方没有答复",
    UNUSABLE: "答复无法识别",
    RESTING: "暂不查询",
}


class Validity(models.Model):
    """The last that is known of a card's student fare. `as_of` is their time, `heard_at` ours."""

    card = models.OneToOneField(Card, on_delete=models.PROTECT, related_name="transit_validity")
    fare = models.CharField(max_length=10)
    valid_until = models.DateField(null=True)
    as_of = models.DateTimeField()
    heard_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(fare__in=list(FARES)), name="transit_fare"),
            models.CheckConstraint(
                condition=~Q(fare=STUDENT) | Q(valid_until__isnull=False), name="transit_student_fare_ends"
            ),
        ]


class LookUp(models.Model):
    """One question about one card's validity, who asked it, and how it ended."""

    append_only = True

    card = models.ForeignKey(Card, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    outcome = models.CharField(max_length=10)
    ms = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=list(OUTCOMES)), name="transit_outcome")
        ]
        indexes = [models.Index(fields=["at"], name="transit_look_up_at")]


class Follower(models.Model):
    """How far the history of cards has been read (docs/adr/0230).

    `caught_up_to`: the last card of the round that looks for those handed out, or dead, before we began to
    read; `caught_up_at`: when a round last came to the end. `reported_up_to`: of the runs of scripts up to
    this one none is left to be reported.
    """

    read_up_to = models.BigIntegerField()
    pending_up_to = models.BigIntegerField(default=0)
    pending_xid = models.BigIntegerField(default=0)
    caught_up_at = models.DateTimeField(null=True)
    caught_up_to = models.BigIntegerField(default=0, db_default=0)
    reported_up_to = models.BigIntegerField(default=0, db_default=0)


class Binding(models.Model):
    """The real-name binding of a card. `ask` counts our questions: only the answer to the last one counts.

    No personal value is kept here: what was sent is sealed in its message.
    """

    card = models.OneToOneField(Card, on_delete=models.PROTECT, related_name="transit_binding")
    state = models.CharField(max_length=12)
    state_at = models.DateTimeField()
    ask = models.IntegerField(default=0)
    code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(BINDING.state_codes)), name="transit_binding_state"
            ),
            models.CheckConstraint(
                condition=~Q(state=REFUSED) | ~Q(reason=""), name="transit_refusal_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["wanted", "unbound"]) | Q(ask__gte=1), name="transit_bound_was_asked"
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="transit_binding_work")]


class HotCard(models.Model):
    """A card that the company was told not to accept, or (`reason` empty) to accept again.

    `version` counts what was told of this card; `confirmed` is the one that their gates have.
    """

    card = models.OneToOneField(Card, on_delete=models.PROTECT, related_name="transit_hot")
    reason = models.CharField(max_length=10, blank=True)
    version = models.IntegerField(default=1)
    at = models.DateTimeField()
    confirmed = models.IntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(reason__in=["", *REASONS]), name="transit_hot_reason"),
            models.CheckConstraint(
                condition=Q(confirmed__gte=0, confirmed__lte=models.F("version")),
                name="transit_hot_confirmed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["at"], condition=~Q(confirmed=models.F("version")), name="transit_hot_unconfirmed"
            )
        ]


class Block(models.Model):
    """A card that the company itself has blocked, or freed again, as it told us. `note`: what somebody of
    ours has done about it; with another word of theirs it is to be done anew.
    """

    card = models.OneToOneField(Card, on_delete=models.PROTECT, related_name="transit_block")
    blocked = models.BooleanField()
    reason = models.CharField(max_length=200, blank=True)
    as_of = models.DateTimeField()
    heard_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=80, blank=True, db_default="")
    note = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(settled_at=None) | ~Q(note=""), name="transit_settled_block_has_a_note"
            ),
        ]


class Extension(models.Model):
    """One card's wish for another year of the student fare, and the answer."""

    card = models.ForeignKey(Card, on_delete=models.PROTECT, related_name="transit_extensions")
    until = models.DateField()
    state = models.CharField(max_length=10)
    state_at = models.DateTimeField()
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(EXTENSION.state_codes)), name="transit_extension_state"
            ),
            models.CheckConstraint(
                condition=~Q(state=NOT_GRANTED) | ~Q(reason=""), name="transit_no_extension_has_a_reason"
            ),
            models.UniqueConstraint(
                fields=["card"], condition=Q(state=ASKED), name="transit_one_open_extension"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="transit_extension_work"),
            models.Index(fields=["asked_at", "id"], name="transit_extension_latest"),
        ]


#: What papers are about.
RANGE, SCHEDULE, HAND_OVER, HOT_LIST = "range", "schedule", "hand_over", "hot_list"
PAPERS = {RANGE: "号段申请", SCHEDULE: "排产单", HAND_OVER: "交接记录", HOT_LIST: "黑名单全量"}


class Paper(models.Model):
    """Something that both sides must agree on: `ours` is what was told, `theirs` what was answered.

    `turn` counts how often it was told; only the answer to the last one counts.
    """

    kind = models.CharField(max_length=10)
    number = models.CharField(max_length=20)
    state = models.CharField(max_length=10)
    state_at = models.DateTimeField()
    turn = models.IntegerField(default=1)
    ours = models.JSONField()
    theirs = models.JSONField(default=dict)
    sent_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(PAPER.state_codes)), name="transit_paper_state"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(PAPERS)), name="transit_paper_kind"),
            models.UniqueConstraint(fields=["kind", "number"], name="transit_one_paper"),
        ]
        indexes = [models.Index(fields=["state", "id"], name="transit_paper_work")]


class ScriptNotice(models.Model):
    """A script that the company announced, as personalization keeps it."""

    append_only = True

    code = models.CharField(max_length=40)
    version = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64)
    heard_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code", "version"], name="transit_script_once")]


class ScriptReport(models.Model):
    """That the company was told what became of a script on one card."""

    append_only = True

    upgrade_id = models.BigIntegerField(unique=True)
    card = models.ForeignKey(Card, on_delete=models.PROTECT, related_name="+")
    result = models.CharField(max_length=10)
    at = models.DateTimeField()

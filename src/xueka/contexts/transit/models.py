"""What the transit company keeps for our cards, as it told us, and what we told it."""

from django.db import models
from django.db.models import Q

from xueka.contexts.cards.api import Card
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

"""What the welfare-card platform grants to our cards, as it told us, and what it was told of them."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.cards.api import Card
from xueka.contexts.welfare.domain.holders import HOLDERS, STATES
from xueka.contexts.welfare.domain.transitions import ENTITLEMENT


class EntitlementKind(models.Model):
    """A kind of entitlement by the platform's own code, with the name it last gave."""

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=40)
    version = models.BigIntegerField()
    heard_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="welfare_kind_has_a_name"),
            models.CheckConstraint(condition=Q(version__gte=1), name="welfare_kind_version"),
        ]


class Entitlement(models.Model):
    """One kind of entitlement of one card, as the platform last said. `as_of` is its time, `heard_at` ours.

    `kind` is no foreign key: a kind that nobody has named yet is shown by its code.
    """

    card = models.ForeignKey(Card, on_delete=models.PROTECT, related_name="entitlements")
    kind = models.CharField(max_length=32)
    state = models.CharField(max_length=10)
    state_at = models.DateTimeField()
    valid_from = models.DateField()
    valid_until = models.DateField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    version = models.BigIntegerField()
    as_of = models.DateTimeField()
    heard_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(ENTITLEMENT.state_codes)), name="welfare_entitlement_state"
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
                name="welfare_entitlement_days",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="welfare_entitlement_version"),
            models.UniqueConstraint(fields=["card", "kind"], name="welfare_one_of_a_kind"),
        ]
        indexes = [models.Index(fields=["state_at", "id"], name="welfare_entitlement_latest")]


class EntitledCard(models.Model):
    """What the platform was last told of a card and its holder; `version` counts what it was told."""

    card = models.OneToOneField(Card, on_delete=models.PROTECT, related_name="welfare_told")
    state = models.CharField(max_length=10)
    holder = models.CharField(max_length=10)
    version = models.IntegerField(default=1)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(STATES)), name="welfare_card_state"),
            models.CheckConstraint(condition=Q(holder__in=list(HOLDERS)), name="welfare_holder"),
        ]


class Follower(models.Model):
    """How far the history of cards has been read (docs/adr/0230). `walked_to`: the last card of the round
    that looks at every card.
    """

    read_up_to = models.BigIntegerField()
    pending_up_to = models.BigIntegerField(default=0)
    pending_xid = models.BigIntegerField(default=0)
    walked_to = models.BigIntegerField(default=0)

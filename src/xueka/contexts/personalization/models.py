"""Card profiles, scripts, issuing agents, and the journal of every card that was written at a counter."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from xueka.contexts.cards.api import Card
from xueka.contexts.personalization.domain.judging import OUTCOMES
from xueka.contexts.personalization.domain.transitions import (
    AGENT,
    HOLDING,
    IN_FORCE,
    OPEN,
    PROFILE,
    SCRIPT,
    SESSION,
    VERIFIED,
)
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import CityWork, Scope


class OfADistrict(models.QuerySet):
    """Agents stand somewhere: those of a district are seen there too. `place` leads to its code."""

    place = "district"

    def visible_to(self, scope: Scope) -> Self:
        if scope.level in ("system", "city"):
            return self
        return self.filter(**{self.place: scope.district}) if scope.level == "district" else self.none()


class OfACard(models.QuerySet):
    """A card's session is seen where its card is, whichever agent writes it; one whose card is not known yet
    where the agent stands.
    """

    def visible_to(self, scope: Scope) -> Self:
        if scope.level in ("system", "city"):
            return self
        mine = Q(card__in=Card.objects.visible_to(scope).values("id"))
        if scope.level == "district":
            mine |= Q(card=None, agent__district=scope.district)
        return self.filter(mine)


class _Reviewed(models.Model):
    """Written by one person, approved by another."""

    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)
    submitted_by = models.CharField(max_length=80, blank=True)
    approved_by = models.CharField(max_length=80, blank=True)
    approved_at = models.DateTimeField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        abstract = True


_APPROVED = Q(state__in=["approved", "in_force"])
_TWO_PEOPLE = ~Q(approved_by="") & ~Q(submitted_by="") & ~Q(approved_by=F("submitted_by"))


class CardProfile(_Reviewed):
    """One version of what lies on a chip: the file's text as it came, and its SM3."""

    code = models.CharField(max_length=32)
    version = models.CharField(max_length=8)
    title = models.CharField(max_length=64)
    algorithm = models.CharField(max_length=8)
    kinds = models.JSONField(default=list)
    text = models.TextField()
    sm3 = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["code", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="personalization_profile_version"),
            models.UniqueConstraint(
                fields=["code"], condition=Q(state=IN_FORCE), name="personalization_one_profile_in_force"
            ),
            models.CheckConstraint(
                condition=Q(state__in=list(PROFILE.state_codes)), name="personalization_profile_state"
            ),
            models.CheckConstraint(
                condition=~_APPROVED | _TWO_PEOPLE, name="personalization_profile_two_people"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"


class CardScript(_Reviewed):
    """A partner's commands for its application, run as they came. `stage`: with every new card
    (`personalise`) or on cards in the field from `starts_on` (`field`).
    """

    code = models.CharField(max_length=32)
    version = models.CharField(max_length=16)
    title = models.CharField(max_length=64)
    application = models.CharField(max_length=32)
    stage = models.CharField(max_length=16)
    kinds = models.JSONField(default=list)
    starts_on = models.DateField()
    source = models.CharField(max_length=64)
    document = models.CharField(max_length=100, blank=True)
    text = models.TextField()
    sm3 = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["code", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="personalization_script_version"),
            models.UniqueConstraint(
                fields=["code"], condition=Q(state=IN_FORCE), name="personalization_one_script_in_force"
            ),
            models.CheckConstraint(
                condition=Q(state__in=list(SCRIPT.state_codes)), name="personalization_script_state"
            ),
            models.CheckConstraint(
                condition=Q(stage__in=["personalise", "field"]), name="personalization_script_stage"
            ),
            models.CheckConstraint(
                condition=~_APPROVED | _TWO_PEOPLE, name="personalization_script_two_people"
            ),
        ]


class Agent(models.Model):
    """The program on one counter PC, known by its public key; it stands in a district, or serves the city.

    Failures in a row count in the sessions after `counted_after`.
    """

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    public_key = models.BinaryField(max_length=32)
    version = models.CharField(max_length=20)
    district = models.CharField(max_length=6, blank=True)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    enrolled_at = models.DateTimeField()
    enrolled_by = models.CharField(max_length=80)
    last_seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True)
    printers = models.JSONField(default=list)
    counted_after = models.BigIntegerField(default=0)

    objects = OfADistrict.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["public_key"], name="personalization_agent_key_once"),
            models.CheckConstraint(
                condition=Q(state__in=list(AGENT.state_codes)), name="personalization_agent_state"
            ),
        ]


class EnrolCode(models.Model):
    """A one-time code, kept as its SM3 only. Used, it names the agent that it made."""

    sm3 = models.BinaryField(max_length=32, unique=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)
    expires_at = models.DateTimeField()
    district = models.CharField(max_length=6, blank=True)
    agent = models.OneToOneField(Agent, on_delete=models.PROTECT, null=True, related_name="code_used")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("made_at")), name="personalization_code_expires"
            )
        ]


class Nonce(models.Model):
    """A nonce that an agent has used; kept as long as its time would still be accepted."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    nonce = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "nonce"], name="personalization_nonce_once")]
        indexes = [models.Index(fields=["at"], name="personalization_nonce_age")]


class ReaderState(models.Model):
    """What an agent last said of one of its readers. `met` is the card that was looked at in it already."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="readers")
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=8)
    atr = models.CharField(max_length=66, blank=True)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()
    met = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="personalization_reader_once")]


class Session(models.Model):
    """One card on one reader, from the order to write it until it is proved or void.

    `values` are the data pinned when it was opened (sealed); `key_count` how many keys of its own the card
    gets; `position` is the run of the plan that is at
    work; `redone` counts how often the plan was begun again; `touched` says that something may have been
    written on the chip; `look` is what the last probe saw.
    """

    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, null=True, related_name="+")
    purpose = models.CharField(max_length=8, default="make")
    profile = models.ForeignKey(CardProfile, on_delete=models.PROTECT, related_name="+")
    stages = models.JSONField(default=list)
    scripts = models.JSONField(default=list)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="sessions")
    reader = models.CharField(max_length=100)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=80)
    chip_uid = models.CharField(max_length=20, blank=True)
    values = SealedField()
    key_count = models.SmallIntegerField(default=0)
    position = models.SmallIntegerField(default=0)
    redone = models.SmallIntegerField(default=0)
    touched = models.BooleanField(default=False)
    look = models.JSONField(default=dict)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=200, blank=True)
    plastic = models.CharField(max_length=200, blank=True)

    objects = OfACard.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(SESSION.state_codes)), name="personalization_session_state"
            ),
            models.CheckConstraint(
                condition=Q(purpose__in=["make", "upgrade"]), name="personalization_session_purpose"
            ),
            models.CheckConstraint(
                condition=Q(purpose="upgrade") | Q(card__isnull=False), name="personalization_session_card"
            ),
            models.UniqueConstraint(
                fields=["card"],
                condition=Q(state__in=OPEN, card__isnull=False),
                name="personalization_one_open_per_card",
            ),
            models.UniqueConstraint(
                fields=["agent", "reader"], condition=Q(state__in=OPEN), name="personalization_one_per_reader"
            ),
            models.UniqueConstraint(
                fields=["card"],
                condition=Q(state=VERIFIED, purpose="make"),
                name="personalization_card_made_once",
            ),
            models.UniqueConstraint(
                fields=["chip_uid"],
                condition=Q(state__in=HOLDING, purpose="make") & ~Q(chip_uid=""),
                name="personalization_chip_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=VERIFIED) | ~Q(chip_uid=""), name="personalization_verified_has_chip"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["failed", "cancelled"], touched=True, purpose="make"),
                name="personalization_touched_is_not_forgotten",
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "id"], name="personalization_by_agent"),
            models.Index(fields=["state_at"], condition=Q(state__in=OPEN), name="personalization_open"),
        ]


class Run(models.Model):
    """Commands that were handed out together, stored before; then what came back. Never changed afterwards.

    `part`: make (run `number` of the plan), look, new, old (a probe and the control keys it asks), identify.
    `commands` and `answers` are sealed: they hold a name, and key cryptograms. `reply` is what the agent was
    told, so that a repeated report gets the same.
    """

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="runs")
    seq = models.SmallIntegerField()
    part = models.CharField(max_length=8)
    number = models.SmallIntegerField(default=0)
    writes = models.BooleanField(default=False)
    reset = models.BooleanField(default=False)
    titles = models.JSONField(default=list)
    commands = SealedField()
    handed_out_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, blank=True)
    atr = models.CharField(max_length=66, blank=True)
    answers = SealedField(null=True)
    words = models.JSONField(default=list)
    milliseconds = models.IntegerField(default=0)
    answered_at = models.DateTimeField(null=True)
    late = models.BooleanField(default=False)
    reply = models.JSONField(null=True)

    class Meta:
        ordering = ["session_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="personalization_run_once"),
            models.UniqueConstraint(
                fields=["session"], condition=Q(outcome=""), name="personalization_one_run_out"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", "lost", *OUTCOMES]), name="personalization_run_outcome"
            ),
        ]

    @property
    def code(self) -> str:
        return f"{self.session_id}-{self.seq}"


class CardKeyVersion(models.Model):
    """Which version of which master made which key of which card: before the key leaves, for ever."""

    append_only = True

    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="keys")
    role = models.CharField(max_length=32)
    label = models.CharField(max_length=64)
    version = models.SmallIntegerField()
    factor = models.CharField(max_length=16)
    kcv = models.CharField(max_length=6)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["card", "role"], name="personalization_key_of_card_once")
        ]
        indexes = [models.Index(fields=["label", "version", "id"], name="personalization_by_version")]


class Upgrade(models.Model):
    """A script that was (or is being) run on a card in the field; each once per card."""

    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, related_name="+")
    script = models.ForeignKey(CardScript, on_delete=models.PROTECT, related_name="upgrades")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="upgrades")
    state = models.CharField(max_length=8, default="running")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["card", "script"],
                condition=Q(state__in=["running", "done"]),
                name="personalization_upgrade_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["running", "done", "failed"]), name="personalization_upgrade_state"
            ),
        ]

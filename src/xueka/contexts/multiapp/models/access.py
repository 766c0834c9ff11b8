"""The partner interface: credentials, limits, calls, answers kept for repetition, and the hot-list."""

from django.db import models
from django.db.models import Q

from xueka.contexts.multiapp.domain.transitions import CREDENTIAL
from xueka.contexts.multiapp.models.units import Unit, state_is_known
from xueka.platform.identity.scope import CityWork


class Credential(models.Model):
    """An id and the keyed hash of its secret (docs/adr/0142); the secret is shown once and kept nowhere."""

    key_id = models.CharField(max_length=24, unique=True)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="credentials")
    secret = models.BinaryField(max_length=32)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    scopes = models.JSONField(default=list)
    per_minute = models.IntegerField()
    expires_at = models.DateTimeField()
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="successor")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            state_is_known(CREDENTIAL),
            models.UniqueConstraint(
                fields=["unit"], condition=Q(state="active"), name="multiapp_one_active_credential"
            ),
            models.CheckConstraint(
                condition=Q(per_minute__gt=0, per_minute__lte=60_000), name="multiapp_credential_limit"
            ),
        ]


class CallCount(models.Model):
    """How often something was called within a minute; one row for all processes."""

    name = models.CharField(max_length=80)
    minute = models.DateTimeField()
    count = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "minute"], name="multiapp_call_count_once")]
        indexes = [models.Index(fields=["minute"], name="multiapp_call_count_age")]


class ApiCall(models.Model):
    """One call: who, what, with which outcome. `subject` is the card asked for, `since` a list's version.

    Kept for some months (settings); each finished day is summed up in the audit log (CallDay).
    """

    at = models.DateTimeField()
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="calls")
    what = models.CharField(max_length=24)
    status = models.SmallIntegerField()
    outcome = models.CharField(max_length=32, blank=True)
    card = models.ForeignKey("cards.Card", on_delete=models.PROTECT, null=True, related_name="+")
    address = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["credential", "at"], name="multiapp_call_by_credential"),
            models.Index(fields=["at"], name="multiapp_call_age"),
            models.Index(fields=["card", "at"], condition=~Q(card=None), name="multiapp_call_by_card"),
        ]


class CallDay(models.Model):
    """What one credential did on one day: counts by call and outcome, the SM3 over its calls of the day."""

    append_only = True

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="days")
    day = models.DateField()
    calls = models.IntegerField()
    counts = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["credential", "day"], name="multiapp_call_day_once"),
        ]


class RememberedAnswer(models.Model):
    """The answer to a POST under its idempotency key: the same request again gets the same answer."""

    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    request = models.BinaryField(max_length=32)
    status = models.SmallIntegerField()
    body = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["credential", "key"], name="multiapp_answer_once")]
        indexes = [models.Index(fields=["at"], name="multiapp_answer_age")]


class HotList(models.Model):
    """The head of the hot-list: its version, the oldest version a change list can start from, and how far the
    history has been read. One row.
    """

    version = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(default=0)
    read_up_to = models.BigIntegerField(default=0)
    pending_up_to = models.BigIntegerField(default=0)
    pending_xid = models.BigIntegerField(default=0)
    at = models.DateTimeField()
    compared_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="multiapp_one_hot_list"),
            models.CheckConstraint(
                condition=Q(floor__gte=0, version__gte=models.F("floor")), name="multiapp_hot_versions"
            ),
        ]


class HotCard(models.Model):
    """A card that is on the list, or was: `state` is empty once it may be accepted again.

    `version` is that of the list in which it last changed.
    """

    card = models.OneToOneField("cards.Card", on_delete=models.PROTECT, primary_key=True, related_name="+")
    version = models.BigIntegerField()
    state = models.CharField(max_length=16, blank=True)
    number = models.CharField(max_length=32)
    chip_uid = models.CharField(max_length=20, blank=True)
    kind = models.ForeignKey("cards.CardKind", on_delete=models.PROTECT, related_name="+")
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["", "lost", "cancelled", "void"]), name="multiapp_hot_state"
            ),
        ]
        indexes = [
            models.Index(fields=["version", "number"], name="multiapp_hot_by_version"),
            models.Index(fields=["school", "version", "number"], name="multiapp_hot_by_school"),
        ]


class Report(models.Model):
    """What a partner said of the list it works with."""

    append_only = True

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="reports")
    version = models.BigIntegerField()
    devices = models.IntegerField()
    behind = models.IntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(devices__gte=0, behind__gte=0, behind__lte=models.F("devices")),
                name="multiapp_report_devices",
            ),
        ]

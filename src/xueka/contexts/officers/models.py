"""Lists that were brought in, and hand-overs."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class OfficerList(models.Model):
    """A list of officers that was tried or brought in, with what became of each line."""

    file_name = models.CharField(max_length=200)
    sm3 = models.BinaryField(max_length=32)
    dry_run = models.BooleanField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    district_code = models.CharField(max_length=6, blank=True)
    report = models.JSONField(default=dict)


class HandOver(models.Model):
    """A role of `from_user` goes to `to_user` on a day; `work` is what was open when both had confirmed."""

    role = models.CharField(max_length=32)
    level = models.CharField(max_length=16)
    district_code = models.CharField(max_length=6)
    school_code = models.CharField(max_length=10, blank=True)
    from_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="handed_over"
    )
    to_user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="taken_over")
    day = models.DateField()
    note = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    from_confirmed_at = models.DateTimeField(null=True)
    to_confirmed_at = models.DateTimeField(null=True)
    work = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="officers_hand_over_between_two", condition=~Q(from_user=F("to_user"))
            ),
            models.CheckConstraint(
                name="officers_both_confirm",
                condition=~Q(state="agreed")
                | Q(from_confirmed_at__isnull=False, to_confirmed_at__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["from_user", "role", "district_code", "school_code"],
                condition=Q(state="asked"),
                name="officers_one_open_hand_over",
            ),
        ]
        indexes = [models.Index(fields=["state", "day"], name="officers_hand_over_due")]

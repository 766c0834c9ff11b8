"""What was done about safe-keeping, and what was asked for."""

from django.db import models
from django.db.models import Q


class Run(models.Model):
    """One backup or one drill, from the wish to its end. `done` of `total` rows is the progress.

    `detail` of a backup: tables and rows; of a drill: what was compared, and what `verify` said.
    """

    kind = models.CharField(max_length=8)
    state = models.CharField(max_length=8)
    scheduled = models.BooleanField(default=False)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    file_name = models.CharField(max_length=100, blank=True)
    size = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    detail = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["backup", "drill"]), name="backup_kind"),
            models.CheckConstraint(
                condition=Q(state="asked", started_at=None, finished_at=None)
                | Q(state="running", started_at__isnull=False, finished_at=None)
                | Q(state__in=["done", "failed"], finished_at__isnull=False),
                name="backup_state",
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(state="asked"), name="backup_one_wish_of_a_kind"
            ),
        ]

"""Repairs under two people, and what the detectors found."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.repairs.domain.transitions import REPAIR
from xueka.platform.identity.scope import CityWork


class Repair(models.Model):
    """What is to be put right, as steps (domain/steps.py), and who agreed."""

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=16)
    steps = models.JSONField(default=list)
    invariants = models.JSONField(default=list)
    proposed_by = models.CharField(max_length=80)
    proposed_at = models.DateTimeField()
    approved_by = models.CharField(max_length=80, blank=True)
    applied_at = models.DateTimeField(null=True)
    undo_reason = models.CharField(max_length=200, blank=True)
    undo_asked_by = models.CharField(max_length=80, blank=True)
    undone_by = models.CharField(max_length=80, blank=True)
    undone_at = models.DateTimeField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(REPAIR.state_codes)), name="repairs_state_known"
            ),
            models.CheckConstraint(
                condition=Q(approved_by="") | ~Q(approved_by=F("proposed_by")), name="repairs_two_people"
            ),
            models.CheckConstraint(
                condition=Q(undone_by="") | ~Q(undone_by=F("undo_asked_by")), name="repairs_two_people_undo"
            ),
        ]


class Finding(models.Model):
    """Something a detector saw, from the run that first saw it until one that does not."""

    detector = models.CharField(max_length=48)
    key = models.CharField(max_length=100)
    detail = models.CharField(max_length=200, blank=True)
    since = models.DateTimeField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)
    owner = models.CharField(max_length=80, blank=True)
    suggests = models.CharField(max_length=32, blank=True)
    params = models.JSONField(default=dict)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["since", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["detector", "key"], condition=Q(gone_at=None), name="repairs_finding_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["detector", "since"], condition=Q(gone_at=None), name="repairs_open_findings"
            )
        ]

"""The audit log: entries are written in the business transaction, sealed into a chain in a second step."""

from typing import Self

from django.db import models
from django.db.models import Func, Q

from xueka.platform.identity.scope import Scope


class EntryQuerySet(models.QuerySet["Entry"]):
    def visible_to(self, scope: Scope) -> Self:
        """What was done inside `scope`; acts of a wider scope are not shown to a narrower one."""
        if scope.level in ("system", "city"):
            return self
        if scope.level not in ("district", "school"):
            return self.none()
        inside = Q(scope=str(scope))
        if scope.level == "district":
            inside |= Q(scope__startswith=f"school:{scope.district}:")
        return self.filter(inside)


class Entry(models.Model):
    """Who did what to what, when, from where, with what result. Never changed, never deleted.

    `at` is the business clock (a simulated year has its own); `recorded_at` is the server's wall clock,
    stamped by a trigger, so that nobody can add an entry to the past.
    """

    append_only = True

    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    actor_name = models.CharField(max_length=80, blank=True)
    role = models.CharField(max_length=32, blank=True)
    scope = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    result = models.CharField(max_length=16, default="done")
    detail = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(db_default=Func(function="clock_timestamp"), editable=False)

    objects = EntryQuerySet.as_manager()

    class Meta:
        # Every list of entries is paged by id, newest first: the id ends each index.
        indexes = [
            models.Index(fields=["object_type", "object_id", "id"], name="audit_by_object"),
            models.Index(fields=["actor", "id"], name="audit_by_actor"),
            models.Index(fields=["action", "id"], name="audit_by_action"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
        ]


class Unsealed(models.Model):
    """The work list of the sealer: a trigger adds each new entry, in the entry's own transaction."""

    entry_id = models.BigIntegerField(primary_key=True)


class Seal(models.Model):
    """One link: digest = SM3(previous digest, canonical form of entry and seal). See `chain`.

    All links of one act of sealing carry the same `sealed_at`, and no two acts do.
    """

    append_only = True

    seq = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT)
    digest = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()

"""The audit log: entries are written in the business transaction, sealed into a chain in a second step."""

from django.db import models


class Entry(models.Model):
    """Who did what to what, when, from where, with what result. Never changed, never deleted."""

    append_only = True

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=80, db_index=True)
    actor_name = models.CharField(max_length=80, blank=True)
    role = models.CharField(max_length=32, blank=True)
    scope = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64, db_index=True)
    object_type = models.CharField(max_length=32, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    result = models.CharField(max_length=16, default="done")
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_by_object")]


class Seal(models.Model):
    """One link: digest = SM3(previous digest, canonical form of the entry)."""

    append_only = True

    seq = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT)
    digest = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()

"""The append-only history of every object that has a state."""

from django.db import models


class Transition(models.Model):
    """One step of one object. `state` columns elsewhere are a cache of the last row here."""

    append_only = True

    machine = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    seq = models.IntegerField()
    event = models.CharField(max_length=32)
    from_state = models.CharField(max_length=32)
    to_state = models.CharField(max_length=32)
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    reason = models.TextField(blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["machine", "object_id", "seq"], name="history_one_step_per_seq"),
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="history_seq_from_one"),
        ]

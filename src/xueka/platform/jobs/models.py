"""How each sweep fares, for the people who run the system."""

from django.db import models


class Sweep(models.Model):
    """The last run of one sweep. `failures` counts runs in a row that ended in an error."""

    name = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]

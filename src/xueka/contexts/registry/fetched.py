"""Tables of what is fetched by REST: the walk through the lists, and the pages as they came."""

from django.db import models
from django.db.models import Q

from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import CityWork


class OneRosterFetch(models.Model):
    """One walk through the registry's lists by REST: what was asked, how far it is, what became of it.

    Empty `fetched_at`: lists are still being read, from `cursor` on. `waits`: a person decides, because of
    `problem`. `check_run` shows the differences; of what needed no person it is `run`. `ended_at` with `run`:
    brought in; without: dropped. `since` is the moment after which changes were asked for (empty:
    everything), `latest` the latest moment that came, both as text that sorts. `next_at` is when the next
    call is due, `tries` those in vain.
    """

    full = models.BooleanField()
    since = models.CharField(max_length=32, blank=True)
    latest = models.CharField(max_length=32, blank=True)
    cursor = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    check_only = models.BooleanField(default=False)
    asked_by = models.CharField(max_length=80)
    started_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    fetched_at = models.DateTimeField(null=True)
    waits = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)
    check_run = models.ForeignKey("registry.ImportRun", on_delete=models.PROTECT, null=True, related_name="+")
    run = models.ForeignKey("registry.ImportRun", on_delete=models.PROTECT, null=True, related_name="fetches")
    problem = models.CharField(max_length=400, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ended_at"],
                condition=Q(ended_at=None),
                name="registry_one_open_fetch",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(run=None) | Q(fetched_at__isnull=False, ended_at__isnull=False, waits=False),
                name="registry_fetch_brought_in",
            ),
        ]


class OneRosterPage(models.Model):
    """Records as they came, in an envelope: deflated JSON of one page. `ids` are their sourcedIds."""

    fetch = models.ForeignKey(OneRosterFetch, on_delete=models.CASCADE, related_name="pages")
    kind = models.CharField(max_length=16)
    number = models.IntegerField()
    ids = models.JSONField(default=list)
    envelope = SealedField(piece=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fetch", "number"], name="registry_page_once"),
        ]

"""Terms and their plan; what was counted each day, which can be computed again from the history; exports."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from xueka.contexts.reporting.domain.exports import KINDS
from xueka.contexts.reporting.domain.transitions import EXPORT, READY
from xueka.platform.identity.scope import Scope


class ConfiguredTerm(models.Model):
    """A term whose days the city has set. Terms do not overlap (exclusion constraint, migration 0002)."""

    code = models.CharField(max_length=8, primary_key=True)
    begins = models.DateField()
    ends = models.DateField()
    set_by = models.CharField(max_length=80)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends__gt=F("begins")), name="reporting_term_order"),
        ]


class PlannedWeek(models.Model):
    """How many cards the city means to hand out in a week of a term."""

    term = models.CharField(max_length=8)
    week = models.SmallIntegerField()
    cards = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["term", "week"], name="reporting_week_once"),
            models.CheckConstraint(condition=Q(week__gte=1, week__lte=60), name="reporting_week_range"),
            models.CheckConstraint(condition=Q(cards__gte=0), name="reporting_plan_not_negative"),
        ]


class RecordedDay(models.Model):
    """A day whose figures are in the tables below; a day that is over is recorded once."""

    day = models.DateField(primary_key=True)
    recorded_at = models.DateTimeField()


class DayFigure(models.Model):
    """How often something happened on a day in a school (domain/measures.py). Never zero."""

    day = models.DateField()
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+", db_index=False)
    measure = models.CharField(max_length=24)
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "school", "measure"], name="reporting_figure_once"),
            models.CheckConstraint(condition=Q(count__gt=0), name="reporting_figure_positive"),
        ]
        indexes = [models.Index(fields=["school", "day"], name="reporting_figure_by_school")]


class DayWait(models.Model):
    """How many cases ended a step on a day in a school after so many whole hours."""

    day = models.DateField()
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+", db_index=False)
    step = models.CharField(max_length=16)
    hours = models.IntegerField()
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "school", "step", "hours"], name="reporting_wait_once"),
            models.CheckConstraint(condition=Q(count__gt=0, hours__gte=0), name="reporting_wait_positive"),
        ]
        indexes = [models.Index(fields=["school", "day"], name="reporting_wait_by_school")]


class Standing(models.Model):
    """How a school stood when it was last counted on a day; one row per school and day."""

    day = models.DateField()
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+", db_index=False)
    counted_at = models.DateTimeField()
    students = models.IntegerField()
    holding = models.IntegerField()
    applying = models.IntegerField()
    accepted = models.IntegerField()
    making = models.IntegerField()
    on_way = models.IntegerField()
    at_school = models.IntegerField()
    lost = models.IntegerField()
    without_photo = models.IntegerField()
    without_consent = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "school"], name="reporting_standing_once")]


class Exports(models.QuerySet["Export"]):
    def visible_to(self, scope: Scope) -> Self:
        """What was asked for inside `scope`; a wider wish is not shown to a narrower scope."""
        if scope.level in ("system", "city"):
            return self
        return self.filter(level=scope.level, district_code=scope.district, school_code=scope.school)


class Export(models.Model):
    """A personal list that somebody wants to take away: why, who agreed, and for how long the file is there.

    `level`, `district_code` and `school_code` are the scope whose rows it holds. The file is sealed in the
    file store and exists in the state `ready` only (an invariant looks).
    """

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    purpose = models.CharField(max_length=200)
    in_clear = models.BooleanField(default=False)
    level = models.CharField(max_length=16)
    district_code = models.CharField(max_length=6, blank=True)
    school_code = models.CharField(max_length=10, blank=True)
    asked_by = models.CharField(max_length=80)
    asked_name = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT, null=True, related_name="+")
    rows = models.IntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    downloads_left = models.SmallIntegerField(default=0)

    objects = Exports.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(EXPORT.state_codes)), name="reporting_export_state"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="reporting_export_kind"),
            models.CheckConstraint(
                condition=Q(decided_by="") | ~Q(decided_by=F("asked_by")), name="reporting_export_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state=READY) | Q(file__isnull=False, expires_at__isnull=False),
                name="reporting_export_ready_has_file",
            ),
            models.CheckConstraint(condition=Q(downloads_left__gte=0), name="reporting_export_downloads"),
            models.CheckConstraint(
                condition=Q(state__in=["asked", "withdrawn"]) | ~Q(decided_by=""),
                name="reporting_export_decided",
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="reporting_export_work")]

    @property
    def scope(self) -> Scope:
        return Scope(self.level, self.district_code, self.school_code)


class Download(models.Model):
    """Somebody has taken an export's file. Never changed."""

    append_only = True

    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="downloads")
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    address = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]

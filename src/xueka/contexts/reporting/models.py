"""Terms and their plan, and what was counted each day: all of it can be computed again from the history."""

from django.db import models
from django.db.models import F, Q


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

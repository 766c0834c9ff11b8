"""Jobs of the school year, their pieces (one school each), and every student and thing a piece changes."""

from typing import Self

from django.db import models
from django.db.models import Q

from xueka.contexts.schoolyear.domain.rules import CHOICES, KINDS
from xueka.contexts.schoolyear.domain.transitions import YEAR_JOB
from xueka.platform.identity.scope import Scope

PIECE_STATES = ("waiting", "planned", "idle", "blocked", "done", "failed", "undone")
OUTCOMES = ("planned", "done", "skipped", "undone", "kept")


class Jobs(models.QuerySet["Job"]):
    def visible_to(self, scope: Scope) -> Self:
        """A district and a school see the jobs of which a piece is theirs."""
        if scope.level in ("system", "city"):
            return self
        own = Piece.objects.visible_to(scope).filter(job=models.OuterRef("pk"))
        made = scope.filter(district="district_id", school="school__code")
        return self.filter(made | models.Exists(own))


class Pieces(models.QuerySet["Piece"]):
    def visible_to(self, scope: Scope) -> Self:
        return self.filter(scope.filter(district="school__district_id", school="school__code"))


class Job(models.Model):
    """A mass change. `level` is its reach; `parameters` are those of the kind (services.jobs)."""

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=16)
    school_year = models.SmallIntegerField()
    level = models.CharField(max_length=8)
    district = models.ForeignKey("registry.District", on_delete=models.PROTECT, null=True, related_name="+")
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, null=True, related_name="+")
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    previewed_at = models.DateTimeField(null=True)
    confirmed_by = models.CharField(max_length=80, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    undo_until = models.DateField(null=True)
    taken_back_by = models.CharField(max_length=80, blank=True)
    taken_back_at = models.DateTimeField(null=True)

    objects = Jobs.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(YEAR_JOB.state_codes)), name="schoolyear_job_state"
            ),
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="schoolyear_job_kind"),
            models.CheckConstraint(
                condition=Q(level="city", district=None, school=None)
                | Q(level="district", district__isnull=False, school=None)
                | Q(level="school", district__isnull=False, school__isnull=False),
                name="schoolyear_job_reach",
            ),
        ]


class Piece(models.Model):
    """What a job does in one school: planned, then done, in one transaction each. Counts are of its items;
    a school in which there is nothing to do is `idle`.

    `wont`: [{code, count, examples: [education id]}]; `also`: figures beside the students, by a word of the
    kind; `blockers`: [text], what must be finished first. `kind` and `school_year` are the job's.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="pieces")
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16)
    school_year = models.SmallIntegerField()
    state = models.CharField(max_length=8, default="waiting")
    planned = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    undone = models.IntegerField(default=0)
    kept = models.IntegerField(default=0)
    wont = models.JSONField(default=list)
    also = models.JSONField(default=dict)
    blockers = models.JSONField(default=list)
    error = models.CharField(max_length=300, blank=True)
    tried_back = models.BooleanField(default=False)

    objects = Pieces.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "school"], name="schoolyear_one_piece_per_school"),
            models.UniqueConstraint(
                fields=["school", "kind", "school_year"],
                condition=Q(state="done", kind__in=["promotion", "graduation"]),
                name="schoolyear_once_a_year",
            ),
            models.CheckConstraint(condition=Q(state__in=PIECE_STATES), name="schoolyear_piece_state"),
        ]
        indexes = [models.Index(fields=["job", "state", "id"], name="schoolyear_piece_work")]


class Move(models.Model):
    """One student: where she is expected, where she goes. `after_class` is known once the piece has run."""

    piece = models.ForeignKey(Piece, on_delete=models.PROTECT, related_name="moves")
    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="+")
    before_class = models.ForeignKey(
        "registry.SchoolClass", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    before_status = models.CharField(max_length=16)
    after_school = models.ForeignKey(
        "registry.School", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    after_stage = models.CharField(max_length=8)
    after_grade = models.SmallIntegerField()
    after_name = models.CharField(max_length=32)
    after_class = models.ForeignKey(
        "registry.SchoolClass", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    after_status = models.CharField(max_length=16)
    ended_by = models.CharField(max_length=16)
    outcome = models.CharField(max_length=8, default="planned")
    note = models.CharField(max_length=24, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["piece", "student"], name="schoolyear_student_once_a_piece"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="schoolyear_move_outcome"),
            models.CheckConstraint(
                condition=~Q(outcome__in=["done", "undone"]) | Q(after_class__isnull=False),
                name="schoolyear_done_move_has_a_class",
            ),
        ]


class Thing(models.Model):
    """Anything else a piece changes: a class, an application closed or opened, a card, a grant, a school.

    `object_id` is that of the thing (for `exchange:KIND` the student), `before` and `after` what it was and
    became. `due_on`: a card that is cancelled on a later day; `outcome` stays planned until then.
    """

    piece = models.ForeignKey(Piece, on_delete=models.PROTECT, related_name="things")
    thing = models.CharField(max_length=48)
    object_id = models.BigIntegerField()
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    due_on = models.DateField(null=True)
    outcome = models.CharField(max_length=8, default="planned")
    note = models.CharField(max_length=24, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["piece", "thing", "object_id"], name="schoolyear_thing_once"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="schoolyear_thing_outcome"),
        ]
        indexes = [
            models.Index(fields=["due_on", "id"], condition=Q(outcome="planned"), name="schoolyear_thing_due")
        ]


class Choice(models.Model):
    """What the school says of a student before the year turns: stays in the grade, leaves, changes class."""

    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="+")
    school_year = models.SmallIntegerField()
    choice = models.CharField(max_length=8)
    value = models.CharField(max_length=32, blank=True)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["student", "school_year"], name="schoolyear_one_choice"),
            models.CheckConstraint(condition=Q(choice__in=list(CHOICES)), name="schoolyear_choice"),
        ]


class ClassList(models.Model):
    """The school has looked at the list of a class and found it right, for the turn of this year."""

    school_class = models.ForeignKey("registry.SchoolClass", on_delete=models.PROTECT, related_name="+")
    school_year = models.SmallIntegerField()
    confirmed_by = models.CharField(max_length=80)
    confirmed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["school_class", "school_year"], name="schoolyear_one_list")
        ]

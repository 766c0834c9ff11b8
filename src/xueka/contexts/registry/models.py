"""Districts, schools, classes, students with their enrolment history and the consent of their guardians."""

from typing import Self

from django.db import models
from django.db.models import Q

from xueka.contexts.registry.domain.ladder import DEFAULT_SCHOOLING, SCHOOLINGS
from xueka.contexts.registry.domain.transitions import ABSENCE
from xueka.contexts.registry.domain.vocabulary import ENDED_BY
from xueka.contexts.registry.fetched import OneRosterFetch, OneRosterPage  # noqa: F401 - Django looks here
from xueka.kernel import clock
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import CityWork, Scope


class ScopedSchools(models.QuerySet["School"]):
    def visible_to(self, scope: Scope) -> Self:
        return self.filter(scope.filter(district="district_id", school="code"))


class ScopedStudents(models.QuerySet["Student"]):
    def visible_to(self, scope: Scope) -> Self:
        return self.filter(scope.filter(district="school__district_id", school="school__code", student="id"))


class District(models.Model):
    code = models.CharField(max_length=6, primary_key=True)
    name = models.CharField(max_length=32)

    class Meta:
        ordering = ["code"]


class School(models.Model):
    """A school or one campus of it; each has a school identification code (学校标识码) of its own."""

    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=100)
    main_school = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="campuses")
    campus_name = models.CharField(max_length=32, blank=True)
    district = models.ForeignKey(District, on_delete=models.PROTECT, related_name="schools")
    stages = models.JSONField(default=list)
    address = models.CharField(max_length=200, blank=True)
    consignee = models.CharField(max_length=64, blank=True)
    consignee_phone = models.CharField(max_length=32, blank=True)
    receiving_hours = models.CharField(max_length=100, blank=True)
    is_open = models.BooleanField(default=True)
    schooling = models.CharField(max_length=16, default=DEFAULT_SCHOOLING)
    closed_on = models.DateField(null=True)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")

    objects = ScopedSchools.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_open=True, closed_on=None, merged_into=None) | Q(is_open=False),
                name="registry_open_school_is_not_closed",
            ),
            models.CheckConstraint(condition=Q(schooling__in=list(SCHOOLINGS)), name="registry_schooling"),
        ]


class SchoolClass(models.Model):
    """A class in the present school year: stage (小学, 初中, 高中), grade within the stage, name."""

    school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="classes")
    stage = models.CharField(max_length=8)
    grade = models.SmallIntegerField()
    name = models.CharField(max_length=32)

    class Meta:
        ordering = ["school_id", "stage", "grade", "name"]
        constraints = [
            models.UniqueConstraint(fields=["school", "stage", "grade", "name"], name="registry_one_class"),
            models.CheckConstraint(condition=Q(grade__gte=1, grade__lte=12), name="registry_grade_range"),
        ]


class Student(models.Model):
    """A student. Searchable and printed fields stand in clear; the rest is in one sealed envelope.

    The database ties class and school together by one composite foreign key (migration 0002), here and in
    `Enrolment`: a student's class always belongs to the student's school.

    `envelope` opens to {birth_date, id_type, id_number, national_number, address,
    guardians: [{name, phone, relation}]}. The indexes are HMAC-SM3 of the normalised value. Under collation C
    one plain index serves both the beginning of a name and the order of pages, on any server.
    """

    education_id = models.CharField(max_length=16)
    name = models.CharField(max_length=100, db_collation="C")
    sort_key = models.CharField(max_length=200, db_collation="C")
    sort_key_by_hand = models.BooleanField(default=False)
    sex = models.CharField(max_length=1)
    birth_year = models.SmallIntegerField()
    status = models.CharField(max_length=16)
    enrolled_from = models.DateField(default=clock.today)
    school = models.ForeignKey(
        School, on_delete=models.PROTECT, related_name="students", db_index=False, db_constraint=False
    )
    school_class = models.ForeignKey(
        SchoolClass, on_delete=models.PROTECT, related_name="students", db_index=False, db_constraint=False
    )
    envelope = SealedField()
    id_index = models.BinaryField(max_length=32, null=True)
    phone_index = models.BinaryField(max_length=32, null=True)
    row_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = ScopedStudents.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["education_id"], name="registry_education_id_once"),
            models.UniqueConstraint(fields=["id_index"], name="registry_id_number_once"),
            models.CheckConstraint(condition=Q(sex__in=["男", "女"]), name="registry_sex"),
            models.CheckConstraint(condition=~Q(name=""), name="registry_name_given"),
        ]
        indexes = [
            models.Index(fields=["school", "school_class", "sort_key", "id"], name="registry_student_list"),
            models.Index(fields=["phone_index"], name="registry_guardian_phone"),
            models.Index(fields=["name", "id"], name="registry_name_prefix"),
            models.Index(fields=["sort_key", "id"], name="registry_student_by_name"),
        ]


class Enrolment(models.Model):
    """A past enrolment: where a student was, and how, from when until it ended, and why it ended.

    The present one is the student row itself (`school`, `school_class`, `status` since `enrolled_from`), so
    that the two cannot disagree; `queries.enrolments` gives both as one history. Never changed.
    """

    append_only = True

    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="past_enrolments")
    school = models.ForeignKey(School, on_delete=models.PROTECT, db_index=False, db_constraint=False)
    school_class = models.ForeignKey(
        SchoolClass, on_delete=models.PROTECT, db_index=False, db_constraint=False
    )
    status = models.CharField(max_length=16)
    from_date = models.DateField()
    to_date = models.DateField()
    reason = models.CharField(max_length=16)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(to_date__gte=models.F("from_date")), name="registry_enrolment_dates"
            ),
            models.CheckConstraint(
                condition=Q(reason__in=list(ENDED_BY)),
                name="registry_enrolment_reason",
            ),
        ]


class Consent(models.Model):
    """A guardian's consent given or withdrawn: notice version, by whom, when, how. Never changed.

    `given_by` is an envelope with the guardian's {name}: guardians' names are never stored in clear.
    """

    append_only = True

    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="consents")
    action = models.CharField(max_length=16)
    notice_version = models.CharField(max_length=32)
    given_by = SealedField()
    method = models.CharField(max_length=32)
    at = models.DateTimeField()
    recorded_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["given", "withdrawn"]), name="registry_consent_action"
            )
        ]


class ScopedTransfers(models.QuerySet["Transfer"]):
    def visible_to(self, scope: Scope) -> Self:
        """Both sides see a transfer."""
        return self.filter(
            scope.filter(district="from_school__district_id", school="from_school__code")
            | scope.filter(district="to_school__district_id", school="to_school__code")
        )


class Transfer(models.Model):
    """A student's move to another school that both sides confirm: districts, or schools of one district.

    `origin`: a roster that shows the move, or a person who asks for it; `due_on` is the last working day for
    either side's answer, empty where the calendar of that year is not loaded.
    """

    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="transfers")
    from_school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="+")
    to_school = models.ForeignKey(School, on_delete=models.PROTECT, related_name="+")
    to_class = models.ForeignKey(SchoolClass, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=16)
    asked_at = models.DateTimeField()
    released_by = models.CharField(max_length=80, blank=True)
    accepted_by = models.CharField(max_length=80, blank=True)
    rejected_by = models.CharField(max_length=80, blank=True)
    closed_at = models.DateTimeField(null=True)
    origin = models.CharField(max_length=8, default="roster")
    asked_by = models.CharField(max_length=80, blank=True)
    asked_side = models.CharField(max_length=8, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    due_on = models.DateField(null=True)
    warnings = models.JSONField(default=list)

    objects = ScopedTransfers.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["student"], condition=Q(state="open"), name="registry_one_open_transfer"
            ),
            models.CheckConstraint(
                condition=~Q(state="closed") | (~Q(released_by="") & ~Q(accepted_by="")),
                name="registry_transfer_both_sides",
            ),
            models.CheckConstraint(
                condition=Q(origin="roster")
                | (Q(origin="person", asked_side__in=["release", "accept"]) & ~Q(asked_by="")),
                name="registry_transfer_origin",
            ),
        ]


class ImportRun(models.Model):
    """One file that came in: its digest, what it did, and its report."""

    kind = models.CharField(max_length=16)
    file_name = models.CharField(max_length=200)
    sm3 = models.BinaryField(max_length=32)
    dry_run = models.BooleanField()
    rows = models.IntegerField(default=0)
    created = models.IntegerField(default=0)
    updated = models.IntegerField(default=0)
    unchanged = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    report = models.JSONField(default=dict)
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    reverted_at = models.DateTimeField(null=True)
    reverted_by = models.CharField(max_length=80, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(reverted_at=None) | Q(dry_run=False, kind="oneroster"),
                name="registry_reverted_run_was_applied",
            )
        ]


class StudentChange(models.Model):
    """Which line of which file changed a student who was already on record. Never changed itself.

    The file that brought a student in is the one whose `at` equals the student's `created_at`.
    """

    append_only = True

    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="changes")
    run = models.ForeignKey(ImportRun, on_delete=models.PROTECT, related_name="changes", db_index=False)
    line = models.IntegerField()


class OneRosterLink(models.Model):
    """What a OneRoster package said of a sourcedId, for later packages that say only what changed.

    `value`: of a user the education ID, of an org the school's code, of a class code, stage, grade, name and
    type, of an enrolment the sourcedIds of user and class, separated by the unit separator. `modified` is the
    moment of the last change that was applied, as text that sorts; `gone`: that change was its deletion.
    """

    kind = models.CharField(max_length=8)
    sourced_id = models.CharField(max_length=255)
    value = models.CharField(max_length=255)
    modified = models.CharField(max_length=32, blank=True)
    gone = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "sourced_id"], name="registry_link_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["user", "org", "class", "enrol", "birth"]), name="registry_link_kind"
            ),
        ]


class ScopedAbsences(models.QuerySet["Absence"]):
    def visible_to(self, scope: Scope) -> Self:
        return self.filter(
            scope.filter(district="student__school__district_id", school="student__school__code")
        )


class Absence(models.Model):
    """A student whom the student registry deleted, left out of a full package of her school, or took out of
    her class without another.

    `held`: so many were missing at once that a person has to say it; otherwise she may go from `due_on` on.
    """

    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="absences")
    run = models.ForeignKey(ImportRun, on_delete=models.PROTECT, related_name="absences")
    cause = models.CharField(max_length=8)
    state = models.CharField(max_length=12)
    held = models.BooleanField(default=False)
    noticed_on = models.DateField()
    due_on = models.DateField()
    decided_by = models.CharField(max_length=80, blank=True)

    objects = ScopedAbsences.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["student"],
                condition=Q(state__in=["missing", "confirmed", "left"]),
                name="registry_one_open_absence",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=["deleted", "left_out", "no_class"]), name="registry_absence_cause"
            ),
            models.CheckConstraint(
                condition=Q(state__in=list(ABSENCE.state_codes)), name="registry_absence_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | ~Q(decided_by=""), name="registry_absence_confirmed_by"
            ),
        ]


class StudentBefore(models.Model):
    """What a student was before a run changed her, for as long as the run may be taken back.

    `envelope` is hers of that time; the `after_…` columns tell whether anything came later.
    """

    run = models.ForeignKey(ImportRun, on_delete=models.PROTECT, related_name="befores")
    student = models.ForeignKey(Student, on_delete=models.PROTECT, related_name="+")
    line = models.IntegerField()
    name = models.CharField(max_length=100, db_collation="C")
    sort_key = models.CharField(max_length=200, db_collation="C")
    sort_key_by_hand = models.BooleanField()
    sex = models.CharField(max_length=1)
    birth_year = models.SmallIntegerField()
    status = models.CharField(max_length=16)
    school = models.ForeignKey(
        School, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    school_class = models.ForeignKey(
        SchoolClass, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    envelope = SealedField()
    row_digest = models.BinaryField(max_length=32)
    after_class = models.ForeignKey(
        SchoolClass, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    after_status = models.CharField(max_length=16)
    after_digest = models.BinaryField(max_length=32)
    outcome = models.CharField(max_length=12, default="applied")
    note = models.CharField(max_length=24, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "student"], name="registry_before_once_a_run"),
            models.CheckConstraint(
                condition=Q(outcome__in=["applied", "restored", "kept"]), name="registry_before_outcome"
            ),
        ]

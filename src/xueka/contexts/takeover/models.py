"""Sets of files of another system, their lines as staged rows, and the differences found beside it."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.takeover.domain.transitions import TAKEOVER
from xueka.platform.identity.scope import CityWork


class TakeOver(models.Model):
    """One set of files. `purpose` is load (it shall become ours) or compare (the other system still runs)."""

    number = models.CharField(max_length=20, unique=True)
    purpose = models.CharField(max_length=8)
    source = models.CharField(max_length=64)
    as_of = models.DateField()
    state = models.CharField(max_length=16)
    digest = models.BinaryField(max_length=32)
    files = models.JSONField(default=list)
    totals = models.JSONField(default=list)
    findings = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    approved_by = models.CharField(max_length=80, blank=True)
    approved_at = models.DateTimeField(null=True)
    loaded_at = models.DateTimeField(null=True)
    back_until = models.DateTimeField(null=True)
    back_asked_by = models.CharField(max_length=80, blank=True)
    back_approved_by = models.CharField(max_length=80, blank=True)
    back_reason = models.CharField(max_length=200, blank=True)
    load_error = models.TextField(blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(TAKEOVER.state_codes)), name="takeover_state_known"
            ),
            models.CheckConstraint(condition=Q(purpose__in=["load", "compare"]), name="takeover_purpose"),
            models.CheckConstraint(
                condition=Q(approved_by="") | ~Q(approved_by=F("created_by")), name="takeover_two_people"
            ),
            models.CheckConstraint(
                condition=Q(back_approved_by="") | ~Q(back_approved_by=F("back_asked_by")),
                name="takeover_two_people_back",
            ),
        ]


class Row(models.Model):
    """A line as staged: whether it may be loaded, what was made of it, and whether that was taken back.

    `stays` says why something could not be taken back.
    """

    take_over = models.ForeignKey(TakeOver, on_delete=models.PROTECT, related_name="+", db_index=False)
    line = models.IntegerField()
    ok = models.BooleanField(default=True)
    object_id = models.BigIntegerField(null=True)
    back = models.BooleanField(default=False)
    stays = models.CharField(max_length=100, blank=True)

    class Meta:
        abstract = True


def _once(name: str) -> list[models.BaseConstraint]:
    return [models.UniqueConstraint(fields=["take_over", "line"], name=f"takeover_{name}_line")]


def _waiting(name: str) -> list[models.Index]:
    waits = Q(ok=True, object_id__isnull=True)
    return [models.Index(fields=["take_over", "line"], condition=waits, name=f"takeover_{name}_wait")]


class AccountRow(Row):
    education_id = models.CharField(max_length=16)
    number = models.CharField(max_length=16, blank=True)
    state = models.CharField(max_length=16)
    opened_on = models.DateField(null=True)
    student_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = _once("account")
        indexes = _waiting("account")


class CardRow(Row):
    number = models.CharField(max_length=32)
    education_id = models.CharField(max_length=16)
    kind = models.CharField(max_length=32)
    state = models.CharField(max_length=16)
    chip_uid = models.CharField(max_length=20, blank=True)
    transit_number = models.CharField(max_length=32, blank=True)
    beijing_tong_number = models.CharField(max_length=32, blank=True)
    issued_on = models.DateField(null=True)
    valid_until = models.DateField(null=True)
    lost_on = models.DateField(null=True)
    cancelled_on = models.DateField(null=True)
    student_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = _once("card")
        indexes = _waiting("card")


class RangeRow(Row):
    """`object_id` is the first range made of it, `second_id` the other where it was half used."""

    sort = models.CharField(max_length=16)
    issuer = models.CharField(max_length=64)
    document = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=16, blank=True)
    width = models.SmallIntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    used = models.BigIntegerField()
    second_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = _once("range")


class NumberRow(Row):
    sort = models.CharField(max_length=16)
    number = models.CharField(max_length=32)
    note = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = _once("number")
        indexes = _waiting("number")


class ApplicationRow(Row):
    number = models.CharField(max_length=32)
    education_id = models.CharField(max_length=16)
    kind = models.CharField(max_length=32)
    reason = models.CharField(max_length=16)
    state = models.CharField(max_length=24)
    submitted_on = models.DateField(null=True)
    student_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = _once("application")
        indexes = _waiting("application")


ROWS: dict[str, type[Row]] = {
    "ranges": RangeRow,
    "accounts": AccountRow,
    "cards": CardRow,
    "numbers": NumberRow,
    "applications": ApplicationRow,
}


class Difference(models.Model):
    """One disagreement with the other system, from the comparison that first saw it until one that does not.

    `kind` is only_old, only_here, state, number or holder; `old` and `ours` are what each side says.
    """

    part = models.CharField(max_length=16)
    kind = models.CharField(max_length=16)
    key = models.CharField(max_length=64)
    education_id = models.CharField(max_length=16, blank=True)
    old = models.CharField(max_length=100, blank=True)
    ours = models.CharField(max_length=100, blank=True)
    first_seen = models.ForeignKey(TakeOver, on_delete=models.PROTECT, related_name="+", db_index=False)
    last_seen = models.ForeignKey(TakeOver, on_delete=models.PROTECT, related_name="+", db_index=False)
    since = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)
    explanation = models.CharField(max_length=200, blank=True)
    explained_by = models.CharField(max_length=80, blank=True)
    signed_by = models.CharField(max_length=80, blank=True)
    signed_at = models.DateTimeField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["since", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["part", "kind", "key"], condition=Q(gone_at=None), name="takeover_difference_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["only_old", "only_here", "state", "number", "holder"]),
                name="takeover_difference_kind",
            ),
            models.CheckConstraint(
                condition=Q(signed_by="") | (~Q(explained_by="") & ~Q(signed_by=F("explained_by"))),
                name="takeover_difference_two_people",
            ),
        ]
        indexes = [
            models.Index(
                fields=["part", "kind", "since"], condition=Q(gone_at=None), name="takeover_open_differences"
            )
        ]

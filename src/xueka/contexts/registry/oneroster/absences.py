"""Who is missing: deleted by the registry, left out of a full package of her school, or taken out of her
class without another; who is back.

Nothing happens to a student here. What becomes of the missing is decided by people, or by the days that pass;
so many at once that the package itself is doubtful are held until a person says so.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl
from django.conf import settings
from django.db import connection

from xueka.contexts.registry.domain.transitions import ABSENCE
from xueka.contexts.registry.domain.vocabulary import PRESENT
from xueka.contexts.registry.models import Absence, ImportRun
from xueka.kernel import clock
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Missing:
    """What one package showed. `allowed` so many may be missing without a person's word."""

    deleted: int
    left_out: int
    unenrolled: int
    returned: int
    held: bool
    allowed: int


def notice(
    actor: Actor,
    run: ImportRun,
    *,
    shown: Sequence[str],
    named: Sequence[str],
    placed: Sequence[str],
    deleted: Sequence[str],
    unenrolled: Sequence[Sequence[str]],
    schools: Sequence[str] | None,
) -> Missing:
    """Open an absence for each missing student, close those of students who are shown again.

    `shown`, `named` (also by records that are refused or too old), `placed` (with an enrolment) and `deleted`
    are education IDs; `unenrolled` gives education ID and place of an enrolment that was deleted; `schools`
    the codes of the schools of which the package is full, None where it only says what changed.
    """
    returned = _returned(actor, shown, placed)
    found = [(identity, "deleted") for identity in _present(deleted)]
    if schools:
        gone = {identity for identity, _ in found}
        found += [(identity, "left_out") for identity in _left_out(named, schools) if identity not in gone]
    gone = {identity for identity, _ in found}
    found += [(identity, "no_class") for identity in _without_class(unenrolled) if identity not in gone]
    known = set(
        Absence.objects.filter(
            student_id__in=[identity for identity, _ in found], state__in=["missing", "confirmed", "left"]
        ).values_list("student_id", flat=True)
    )
    found = [row for row in found if row[0] not in known]
    allowed = _allowed(schools)
    held = len(found) > allowed
    today = clock.today()
    rows = Absence.objects.bulk_create(
        (
            Absence(
                student_id=identity,
                run=run,
                cause=cause,
                state=ABSENCE.initial,
                held=held,
                noticed_on=today,
                due_on=today + timedelta(days=settings.ONEROSTER_LEAVER_DAYS),
            )
            for identity, cause in sorted(found)
        ),
        batch_size=2000,
    )
    begin(ABSENCE, [row.id for row in rows], actor)
    count = Counter(cause for _, cause in found)
    return Missing(count["deleted"], count["left_out"], count["no_class"], returned, held, allowed)


def _returned(actor: Actor, shown: Sequence[str], placed: Sequence[str]) -> int:
    """Whoever was taken out of her class is back when she is in one; the others when they are shown."""
    back = Absence.objects.filter(state__in=["missing", "confirmed", "left"]).values_list(
        "id", "student__education_id", "cause"
    )
    here, in_class = set(shown), set(placed)
    ids = sorted(
        identity
        for identity, education_id, cause in back
        if education_id in (in_class if cause == "no_class" else here)
    )
    if ids:
        apply(ABSENCE, Absence, ids, "return", actor)
    return len(ids)


def _present(education_ids: Sequence[str]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM registry_student WHERE education_id = ANY(%s) AND status = ANY(%s) ORDER BY id",
            [list(education_ids), list(PRESENT)],
        )
        return [identity for (identity,) in cursor.fetchall()]


def _without_class(unenrolled: Sequence[Sequence[str]]) -> list[int]:
    """Those who are still on record in the very class that they were taken out of."""
    if not unenrolled:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT s.id
              FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
                   AS gone (education_id, school, stage, grade, class)
              JOIN registry_student s ON s.education_id = gone.education_id
              JOIN registry_schoolclass c ON c.id = s.school_class_id
              JOIN registry_school h ON h.id = s.school_id
             WHERE s.status = ANY(%s) AND (h.code, c.stage, c.grade::text, c.name)
                   = (gone.school, gone.stage, gone.grade, gone.class)
             ORDER BY s.id
            """,
            [*map(list, zip(*unenrolled, strict=True)), list(PRESENT)],
        )
        return [identity for (identity,) in cursor.fetchall()]


def _left_out(shown: Sequence[str], schools: Sequence[str]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, s.education_id FROM registry_student s JOIN registry_school h ON h.id = s.school_id
             WHERE h.code = ANY(%s) AND s.status = ANY(%s)
            """,
            [list(schools), list(PRESENT)],
        )
        here = pl.DataFrame(cursor.fetchall(), schema={"id": pl.Int64, "shown": pl.String}, orient="row")
    there = pl.DataFrame({"shown": pl.Series(shown, dtype=pl.String)})
    return here.join(there, on="shown", how="anti")["id"].sort().to_list()


def _allowed(schools: Sequence[str] | None) -> int:
    """The larger of a number and of a share of the students of whom the package speaks."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM registry_student s JOIN registry_school h ON h.id = s.school_id
             WHERE s.status = ANY(%s) AND (%s::text[] IS NULL OR h.code = ANY(%s))
            """,
            [list(PRESENT), *[list(schools) if schools else None] * 2],
        )
        (count,) = cursor.fetchone()
    return max(settings.ONEROSTER_LEAVERS, int(count * settings.ONEROSTER_LEAVERS_PERCENT / 100))

"""Who has consented and who is missing: students with their last word, and counts by place."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery

from xueka.contexts.registry.domain.vocabulary import ENROLLED, GUEST
from xueka.contexts.registry.models import Consent, Student
from xueka.platform.identity.scope import Scope

GIVEN = "given"
#: Who is taught here, formally or as a guest: the others owe no slip.
HERE = (ENROLLED, GUEST)


@dataclass(frozen=True, slots=True)
class ConsentCount:
    """Of the students enrolled in a place: how many, and of how many the guardians' last word is yes.

    `key` is the code of a district or school, or the id of a class; `label` its words: (name,) or
    (stage, grade, name).
    """

    key: str
    label: tuple[str, ...]
    students: int
    given: int

    @property
    def missing(self) -> int:
        return self.students - self.given


_LEVELS = {
    "district": ("o.district_id", "d.name", "o.district_id"),
    "school": ("o.code", "o.name", "o.code"),
    "class": ("c.id", "c.stage || '|' || c.grade || '|' || c.name", "c.stage, c.grade, c.name"),
}


def consent_counts(scope: Scope, level: str, *, district: str = "", school: str = "") -> list[ConsentCount]:
    """By `level` (district, school or class) inside the scope, narrowed to a district or a school (codes)."""
    if scope.level not in ("system", "city", "district", "school"):
        return []
    key, label, order = _LEVELS[level]
    wanted = [
        ("o.district_id", scope.district if scope.level in ("district", "school") else ""),
        ("o.code", scope.school if scope.level == "school" else ""),
        ("o.district_id", district),
        ("o.code", school),
    ]
    places = [(column, code) for column, code in wanted if code]
    narrowed = "".join(f" AND {column} = %s" for column, _ in places)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {key}::text, {label}, count(*), count(*) FILTER (WHERE last.action = 'given')
              FROM registry_student s
              JOIN registry_school o ON o.id = s.school_id
              JOIN registry_district d ON d.code = o.district_id
              JOIN registry_schoolclass c ON c.id = s.school_class_id
              LEFT JOIN (SELECT DISTINCT ON (student_id) student_id, action FROM registry_consent
                          ORDER BY student_id, id DESC) last ON last.student_id = s.id
             WHERE s.status = ANY(%s){narrowed}
             GROUP BY {key}, {label}, {order} ORDER BY {order}
            """,  # noqa: S608 - columns of our own tables
            [list(HERE), *(code for _, code in places)],
        )
        return [
            ConsentCount(key, tuple(words.split("|")) if level == "class" else (words,), students, given)
            for key, words, students, given in cursor.fetchall()
        ]


def consent_rows(scope: Scope) -> QuerySet[Student]:
    """Enrolled students with `consent`: the last action of their guardians, None where there is none."""
    last = Consent.objects.filter(student=OuterRef("id")).order_by("-id").values("action")[:1]
    rows = Student.objects.visible_to(scope).filter(status__in=HERE)
    return rows.annotate(consent=Subquery(last)).select_related("school", "school_class")


def missing_consent(rows: QuerySet[Student]) -> QuerySet[Student]:
    """Those of `consent_rows` whose guardians have not consented, or have withdrawn."""
    return rows.filter(~Q(consent=GIVEN) | Q(consent=None))

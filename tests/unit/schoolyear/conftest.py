"""A small city whose school year turns: a nine-year school, a primary school and one of another district."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.unit.cards.conftest import City as CardCity
from tests.unit.cards.conftest import build, city
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.configuration import rules
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.invariants import InvariantResult, check

KIND = "bjt_student"
FIRST, SECOND = (Actor.in_role(name, name, "city_operator", Scope("city")) for name in ("one", "two"))


class City(CardCity):
    """Also puts students into classes by stage, grade and name."""

    def pupils(
        self, stage: str, grade: int, count: int = 3, *, school: int = 0, name: str = "1班"
    ) -> list[int]:
        where, _ = registry.SchoolClass.objects.get_or_create(
            school=self.schools[school], stage=stage, grade=grade, name=name
        )
        return self.students(count, school, school_class=where)

    def place(self, student_id: int) -> tuple[str, str, int, str, str]:
        found = registry.student(Scope("city"), student_id)
        of = found.school_class
        return found.school.code, of.stage, of.grade, of.name, found.status


@pytest.fixture
def town(city: CardCity) -> City:
    made = City(city.schools)
    made._serial = city._serial
    registry.School.objects.filter(id=made.schools[0].id).update(stages=["小学", "初中"])
    registry.School.objects.filter(id__in=[one.id for one in made.schools[1:]]).update(stages=["小学"])
    for school in made.schools:
        school.refresh_from_db()
    return made


@pytest.fixture(autouse=True)
def plain_rules() -> Iterator[None]:
    rules.cache_clear()
    yield
    rules.cache_clear()


def run(job: year.Job) -> year.Job:
    """What the sweep does until nothing is left."""
    while year.work(60):
        pass
    job.refresh_from_db()
    return job


def done(kind: str, level: str = "city", place: str = "", **parameters: Any) -> year.Job:
    """A job from the wish to its end, by two people."""
    job = run(year.create_job(FIRST, kind, level, place, parameters))
    assert job.state == "previewed", year.report(Scope("city"), job)
    year.confirm_job(SECOND, job.number)
    return run(job)


def violated() -> list[InvariantResult]:
    """Broken invariants of registry and school year; the students of these tests have no sealed fields."""
    wanted = [*registry.INVARIANTS, *year.INVARIANTS]
    found = [check(one) for one in wanted if one.name != "registry_personal_fields_are_sealed"]
    return [one for one in found if one.violated]


def digest() -> list[tuple[Any, ...]]:
    """The present state of registry and cards; classes that nobody is in are no part of it."""
    parts = [
        """SELECT 'student', s.education_id, s.status, o.code, c.stage, c.grade, c.name
             FROM registry_student s JOIN registry_school o ON o.id = s.school_id
             JOIN registry_schoolclass c ON c.id = s.school_class_id""",
        """SELECT 'school', code, name, is_open, closed_on::text, merged_into_id, schooling
             FROM registry_school""",
        """SELECT 'application', a.number, a.state, a.reason, o.code, c.stage, c.grade, c.name
             FROM cards_application a JOIN registry_school o ON o.id = a.school_id
             JOIN registry_schoolclass c ON c.id = a.school_class_id""",
        """SELECT 'card', k.number, k.state, k.valid_until::text, o.code, c.stage, c.grade, c.name
             FROM cards_card k JOIN registry_school o ON o.id = k.school_id
             JOIN registry_schoolclass c ON c.id = k.school_class_id""",
        """SELECT 'grant', u.username, g.role, g.school_code
             FROM identity_grant g JOIN identity_user u ON u.id = g.user_id WHERE g.revoked_at IS NULL""",
    ]
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for part in parts:
            cursor.execute(part)
            rows += cursor.fetchall()
    return sorted(rows, key=str)


__all__ = ["City", "build", "city", "digest", "done", "plain_rules", "run", "town", "violated"]

"""The small city of the cards, two hundred students, and what the system before says of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

import pytest
from django.db import transaction

from tests.unit.cards.conftest import NOW, City, build
from xueka.contexts.registry import api as registry
from xueka.contexts.takeover import api as takeover
from xueka.contexts.takeover.services import loading, taking_back
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.simulation import old_system

AS_OF = date(2026, 9, 1)
SEED = 5


def operator(name: str) -> Actor:
    return Actor.in_role(name, name, "city_operator", Scope("city"))


ONE, OTHER, WORKER = operator("one"), operator("other"), Actor.system("worker")


@dataclass
class Programme:
    """The city and its students; the other system's extract is made on demand."""

    city: City
    education_ids: list[str]

    def extract(self, *, defects: bool = False) -> old_system.Extract:
        return old_system.extract(Random(SEED), self.education_ids, AS_OF, defects=defects)

    @transaction.atomic
    def checked(self, extract: old_system.Extract | None = None) -> takeover.TakeOver:
        return takeover.check(ONE, (extract or self.extract()).files())

    @transaction.atomic
    def loaded(self, extract: old_system.Extract | None = None) -> takeover.TakeOver:
        found = self.checked(extract)
        takeover.approve(OTHER, found.id, without_rejected=True)
        while loading.load_chunk(WORKER, found.id, 70):
            pass
        found.refresh_from_db()
        return found

    @transaction.atomic
    def taken_back(self, found: takeover.TakeOver) -> takeover.TakeOver:
        takeover.ask_back(ONE, found.id, "文件有误")
        takeover.approve_back(OTHER, found.id)
        while taking_back.take_back_chunk(WORKER, found.id, 70):
            pass
        found.refresh_from_db()
        return found


@transaction.atomic
def start(students: int = 200) -> Programme:
    city = build()
    ids = [student for school in range(2) for student in city.students(students // 2, school)]
    rows = registry.Student.objects.filter(id__in=ids).order_by("id")
    return Programme(city, list(rows.values_list("education_id", flat=True)))


@pytest.fixture
def programme(db: None) -> Iterator[Programme]:
    with clock.at(NOW):
        yield start()

"""The registry by REST: a walk through its lists, brought in as a package is; what moves under it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings

from tests.support.registry import clean
from tests.support.student_registry import OPERATOR, Registry, registry_beside
from xueka.contexts.registry.models import ImportRun, OneRosterPage, Student
from xueka.contexts.registry.oneroster import fetching
from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Refused

pytestmark = pytest.mark.django_db(databases=["default"])


@pytest.fixture
def registry(schools: None, tmp_path: Path, settings: LazySettings) -> Iterator[Registry]:
    settings.ONEROSTER_LIMIT = 20
    with registry_beside(tmp_path / "registry", settings) as made:
        yield made


def later(registry: Registry, minutes: int) -> None:
    registry.house.clock.set(clock.local(clock.now() + timedelta(minutes=minutes)).isoformat())


def test_everything_and_then_what_changed(registry: Registry) -> None:
    users = registry.enter(clean(50))
    first = registry.fetch()
    assert first.full and first.run and first.run.created == 50, first.problem
    assert registry.agrees()
    later(registry, 5)
    registry.roll.correct(users[0], {"name": "欧阳文"})
    second = registry.fetch()
    assert not second.full and second.run and (second.run.updated, second.run.rejected) == (1, 0)
    assert Student.objects.filter(name="欧阳文").count() == 1
    assert registry.agrees()
    again = registry.fetch(full=True)
    assert again.run and (again.run.unchanged, again.run.updated) == (50, 0), again.run.report
    assert ImportRun.objects.filter(dry_run=True).count() == 3


def test_without_a_card_and_two_at_once(registry: Registry, settings: LazySettings, tmp_path: Path) -> None:
    fetching.ask(OPERATOR)
    with pytest.raises(Conflict) as refused:
        fetching.ask(OPERATOR)
    assert refused.value.code == "ONEROSTER_FETCHING"
    settings.ONEROSTER_PARTNER = tmp_path / "none.json"
    with pytest.raises(Refused) as refused:
        fetching.ask(OPERATOR)
    assert refused.value.code == "ONEROSTER_NO_PARTNER"


def test_killed_between_pages_and_in_the_middle_of_one(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = registry.enter(clean(50))
    number = fetching.ask(OPERATOR).id
    left = iter([False] * 4)
    fetching.advance(number, until=lambda: next(left, True))
    before = list(OneRosterPage.objects.values_list("kind", "number"))
    assert len(before) == 4
    with monkeypatch.context() as broken:
        broken.setattr(fetching.OneRosterFetch, "save", lambda _: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            fetching.advance(number)
    assert list(OneRosterPage.objects.values_list("kind", "number")) == before
    # Meanwhile a record that was read is removed for good: the lists move up.
    registry.roll.purge("users", users[0])
    done = registry.walk(number)
    assert done.run and done.run.created == 50, done.problem
    assert OneRosterPage.objects.filter(fetch=number).count() > len(before)

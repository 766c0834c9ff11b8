"""The student registry of a demo city: both sides agree; what waits there is seen before it is applied."""

from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from django.conf import LazySettings

from xueka.contexts.registry import api as registry
from xueka.kernel.clock import SHANGHAI, SimulatedClock, simulated
from xueka.simulation import files, people, registry_roll, registry_side, staff
from xueka.simulation.beside import running_beside
from xueka.simulation.counterparts import SIMULATORS
from xueka.simulation.world import World

pytestmark = pytest.mark.django_db
SEED, MOMENT = 7, datetime(2025, 9, 1, 9, tzinfo=SHANGHAI)
OPERATOR = staff.operator("a")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> World:
    """Eight schools of as many districts, and who is at them by two files."""
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path))
    settings.ONEROSTER_PARTNER = SIMULATORS["registry"].card
    made = World(SEED, SimulatedClock(MOMENT), lambda line: None)
    schools = people.schools(Random(1), 8)
    city = people.students(Random(2), schools, 40, 2025)
    with simulated(made.clock):
        registry.import_schools(OPERATOR, files.schools_csv(schools), "schools.csv")
        for some in (city[:30], city[30:]):
            assert registry.import_roster(OPERATOR, files.roster_csv(some), "roster.csv").created == len(some)
            made.registrar.write(some)
            made.pass_time(minutes=60 * 24 * 30)
    return made


def test_four_changes_wait_and_are_applied_by_a_person(world: World) -> None:
    renamed, moved, gone = pupils = [each.education_id for each in list(_at_the_first(world))[:3]]
    registry_roll.settle(world, pupils)
    first = registry.fetches(OPERATOR)[0]
    assert first.full and first.run and (first.run.unchanged, first.run.rows) == (40, 40)

    with running_beside("registry", seed=SEED, faults="none") as card:
        registry.advance_fetch(registry.ask_fetch(OPERATOR, check_only=True).id)
        fetch = registry.fetches(OPERATOR)[0]
        assert not fetch.full and fetch.waits and fetch.check_run
        told = {each["education_id"]: each["columns"] for each in fetch.check_run.report["changed"]}
        assert told.pop(renamed) == ["name"]
        assert told.pop(moved) == []  # two districts have to confirm first
        assert told.pop(gone) == ["deleted"]
        assert list(told.values()) == [["new"]]
        assert fetch.check_run.report["deleted"] == 1
        assert registry.Student.objects.count() == 40

        registry.apply_fetch(OPERATOR, fetch.id)
        assert registry.Student.objects.count() == 41
        assert registry.Absence.objects.get().student.education_id == gone
        side = registry_side.Registry(card)
        there = side.control("GET", "counts")
        assert registry_side.counts() != there
        [transfer] = registry.transfers(staff.CITY).rows
        for school, step in ((transfer.from_school, "release"), (transfer.to_school, "accept")):
            registry.confirm_transfer(staff.district_officer(school.district_id), transfer.id, step)
        assert registry_side.counts() == there == {**there, "students": 40}
        side.close()


def test_two_that_do_not_agree_are_told(world: World) -> None:
    student = registry.Student.objects.order_by("education_id")[0]
    registry.Student.objects.filter(id=student.id).update(name="另一人")
    with pytest.raises(Exception, match="不一致"):
        registry_roll.settle(world, [each.education_id for each in list(_at_the_first(world))[:3]])


def _at_the_first(world: World) -> list[people.SyntheticStudent]:
    everybody = [each.student for each in world.registrar.roll.values()]
    first = min(each.school.code for each in everybody)
    return sorted(
        (each for each in everybody if each.school.code == first), key=lambda each: each.education_id
    )

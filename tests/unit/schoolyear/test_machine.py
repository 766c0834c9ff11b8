"""Every event of a job in every state, and what the invariants notice."""

import pytest
from django.db import connection

from tests.support.machines import assert_every_pair
from tests.unit.schoolyear.conftest import FIRST, City, done
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.models import Job
from xueka.platform.history.services import apply
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check


def test_every_event_in_every_state(town: City) -> None:
    town.pupils("小学", 1)
    job = year.create_job(FIRST, "promotion", "school", town.schools[0].code)

    def state() -> str:
        return Job.objects.get(id=job.id).state

    def attempt(event: str, source: str, to: str | None) -> str:
        Job.objects.filter(id=job.id).update(state=source)
        apply(year.YEAR_JOB, Job, [job.id], event, Actor.system("test"), to=to)
        return state()

    assert assert_every_pair(year.YEAR_JOB, attempt, still=state) == (12, 60)


@pytest.fixture
def busy(town: City) -> year.Job:
    town.pupils("小学", 1)
    return done("promotion")


def results() -> dict[str, tuple[int, int]]:
    return {one.name: (one.checked, one.violated) for one in map(check, year.INVARIANTS)}


def test_ordinary_work_keeps_them_all(busy: year.Job) -> None:
    found = results()
    assert all(checked > 0 for checked, _ in found.values()), found
    assert all(violated == 0 for _, violated in found.values()), found


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("year_job_state_equals_last_history_row", "UPDATE schoolyear_job SET state = 'running'"),
        (
            "year_job_steps_allowed",
            "INSERT INTO history_transition (machine, object_id, seq, event, from_state, to_state, at, actor,"
            " reason, detail) SELECT 'year_job', id, 9, 'confirm', 'done', 'draft', now(), 'x', '', '{}'"
            " FROM schoolyear_job",
        ),
        (
            "schoolyear_done_moves_happened",
            "UPDATE registry_student SET school_class_id = (SELECT before_class_id FROM schoolyear_move"
            " LIMIT 1)",
        ),
        ("schoolyear_pieces_count_their_students", "UPDATE schoolyear_piece SET done = done + 1"),
        ("schoolyear_pieces_count_their_students", "UPDATE schoolyear_move SET note = 'nonsense'"),
        ("schoolyear_pieces_count_their_students", "DELETE FROM schoolyear_move"),
        (
            "schoolyear_finished_jobs_have_no_open_school",
            "UPDATE schoolyear_piece SET state = 'planned' WHERE state = 'done'",
        ),
    ],
)
def test_damage_is_noticed(busy: year.Job, name: str, damage: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount >= 1
    checked, violated = results()[name]
    assert checked > 0
    assert violated > 0

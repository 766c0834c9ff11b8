"""A sweep runs alone, remembers how it went, and survives its worker."""

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from xueka.kernel.errors import Refused
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.jobs import sweeps
from xueka.platform.jobs.models import Sweep
from xueka.platform.jobs.worker import STALLED_AFTER, revive


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps of a test stay out of the application's own registry."""
    monkeypatch.setattr(app, "tasks", dict(app.tasks))
    monkeypatch.setattr(app.periodic_registry, "periodic_tasks", dict(app.periodic_registry.periodic_tasks))


@pytest.mark.django_db
@pytest.mark.usefixtures("unregistered")
def test_a_sweep_runs_unless_another_process_is_at_it() -> None:
    done = []
    sweep = sweeps.every(5, "test.alone")(lambda: done.append(1))
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**address.parameters(Role.APPLICATION, name)) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [sweeps._LOCK_SPACE, "test.alone"])
        assert sweep() is False
        assert done == []
        other.execute("SELECT pg_advisory_unlock_all()")
    assert sweep() is True
    assert sweep() is True
    assert done == [1, 1]
    assert Sweep.objects.get(name="test.alone").failures == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("unregistered")
def test_a_sweep_that_fails_is_counted_and_gives_its_lock_back() -> None:
    def work() -> None:
        raise Refused("TEST", "说明原因")

    sweep = sweeps.every(5, "test.fails")(work)
    for expected in (1, 2):
        with pytest.raises(Refused):
            sweep()
        kept = Sweep.objects.get(name="test.fails")
        assert (kept.failures, kept.last_error) == (expected, "说明原因")
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**address.parameters(Role.APPLICATION, name)) as other:
        free = other.execute(
            "SELECT pg_try_advisory_lock(%s, hashtext(%s))", [sweeps._LOCK_SPACE, "test.fails"]
        ).fetchone()
    assert free == (True,)


@pytest.mark.django_db
def test_every_sweep_is_registered_with_the_queue() -> None:
    periodic = {name for name, _ in app.periodic_registry.periodic_tasks}
    assert {"jobs.revive", "production.build", "production.send", "production.poll", "audit.seal"} <= periodic


def _job_of_a_dead_worker(silent_for: float) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) "
            "VALUES (now() - %s * interval '1 second') RETURNING id",
            [silent_for],
        )
        (worker,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, queueing_lock, worker_id) "
            "VALUES ('sweeps', 'jobs.revive', 'doing', 'lock', %s) RETURNING id",
            [worker],
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_a_job_of_a_killed_worker_goes_back_to_the_queue() -> None:
    dead, alive = _job_of_a_dead_worker(STALLED_AFTER + 1), _job_of_a_dead_worker(0)
    assert async_to_sync(revive)(app) == 1
    assert ProcrastinateJob.objects.get(pk=dead).status == "todo"
    assert ProcrastinateJob.objects.get(pk=alive).status == "doing"


@pytest.mark.django_db(transaction=True)
def test_a_job_that_waits_again_already_is_not_kept_twice() -> None:
    dead = _job_of_a_dead_worker(STALLED_AFTER + 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) "
            "VALUES ('sweeps', 'jobs.revive', 'lock')"
        )
    assert async_to_sync(revive)(app) == 1
    assert [job.status for job in ProcrastinateJob.objects.all()] == ["todo"]
    assert not ProcrastinateJob.objects.filter(pk=dead).exists()

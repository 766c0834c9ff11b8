"""A sweep runs alone, remembers how it went, and survives its worker."""

from datetime import timedelta

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.jobs import sweeps
from xueka.platform.jobs.models import Sweep
from xueka.platform.jobs.worker import STALLED_AFTER, revive


@pytest.fixture
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps of a test stay out of the application's own registry."""
    monkeypatch.setattr(sweeps, "_registered", {})


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


def test_every_sweep_is_registered_and_the_queue_wakes_them() -> None:
    assert {
        "production.build",
        "production.send",
        "production.poll",
        "audit.seal",
    } <= sweeps.registered().keys()
    periodic = {name: each.cron for (name, _), each in app.periodic_registry.periodic_tasks.items()}
    assert periodic.keys() == {"jobs.beat", "jobs.revive"} and periodic["jobs.beat"] == "* * * * * *"


@pytest.mark.django_db
@pytest.mark.usefixtures("unregistered")
def test_a_beat_runs_what_is_due_and_remembers_it() -> None:
    done: list[str] = []
    sweeps.every(2, "test.quick")(lambda: done.append("quick"))
    sweeps.every(30, "test.slow")(lambda: done.append("slow"))
    with clock.at(clock.now()) as now:
        assert sweeps.beat() == 2
        assert done == ["slow", "quick"]  # who dies in the quick one has done the slow one
        now.advance(timedelta(seconds=1))
        assert sweeps.beat() == 0
        now.advance(timedelta(seconds=0.8))  # beats come a little early
        assert sweeps.beat() == 1 and done == ["slow", "quick", "quick"]
        now.advance(timedelta(seconds=28))
        assert sweeps.beat() == 2
        assert set(Sweep.objects.values_list("finished_at", "failures")) == {(now.now(), 0)}
        Sweep.objects.update(started_at=now.now() + timedelta(days=1))  # by another clock
        assert sweeps.beat() == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("unregistered")
def test_a_sweep_that_nobody_has_run_is_run_beside_one_that_is_always_due() -> None:
    """As a city begins: some were run while it was built, and one of these is due in every beat."""
    done: list[str] = []
    sweeps.every(1, "test.old")(lambda: done.append("old"))()
    sweeps.every(59, "test.new")(lambda: done.append("new"))
    with clock.at(clock.now() + timedelta(seconds=1)):
        assert sweeps.beat() == 2 and done == ["old", "new", "old"]


@pytest.mark.django_db
@pytest.mark.usefixtures("unregistered")
def test_a_sweep_that_fails_stops_no_other_and_is_counted() -> None:
    def work() -> None:
        raise Refused("TEST", "说明原因")

    done: list[int] = []
    sweeps.every(1, "test.bad")(work)
    sweeps.every(2, "test.good")(lambda: done.append(1))
    with clock.at(clock.now()) as now:
        for _ in range(2):
            sweeps.beat()
            now.advance(timedelta(seconds=3))
        bad, good = Sweep.objects.order_by("name")
    assert (bad.failures, bad.last_error, good.failures, len(done)) == (2, "说明原因", 0, 2)


@pytest.mark.django_db
@pytest.mark.usefixtures("unregistered")
@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_a_long_sweep_holds_up_is_run_once(elsewhere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another worker, or, if none has claimed it meanwhile, after the long one."""
    done: list[int] = []
    moments = iter([0.0, 0.0, 100.0])

    def long() -> None:
        if elsewhere:
            Sweep.objects.filter(name="test.short").update(started_at=clock.now())

    sweeps.every(2, "test.long")(long)
    sweeps.every(1, "test.short")(lambda: done.append(1))
    monkeypatch.setattr(sweeps, "monotonic", lambda: next(moments))
    sweeps.beat()
    assert done == ([] if elsewhere else [1])


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

"""kill -9 of a worker in the middle of a promotion: whole schools, nobody twice, and it goes on by itself."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import prepared_home

SCHOOLS, STUDENTS, KILLS = 8, 6, 2


def test_a_killed_promotion_goes_on() -> None:
    with tempfile.TemporaryDirectory(prefix="xueka-test-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        prepared_home.lay_out(Path(home))
        environment = {**os.environ, "XUEKA_HOME": home, "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
        environment.pop("DATABASE_URL", None)
        command = [sys.executable, "-m", "tests.faults.test_kill_year"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-5000:]
        report = json.loads(done.stdout.splitlines()[-1])
    assert report["kills"] == KILLS
    assert report["state"] == "done"
    assert report["grades"] == {"2": SCHOOLS * STUDENTS}
    assert report["enrolments"] == SCHOOLS * STUDENTS
    assert report["pieces"] == {"done": SCHOOLS}
    assert report["violated"] == []


def main() -> None:
    """Make a city, confirm its promotion, let workers die after every other school, and count."""
    from xueka.platform.database import server

    with server.hold():
        import django

        django.setup()
        from xueka.platform.database import migrate

        migrate.prepare_if_needed()
        number = _city()
        kills = 0
        while kills < KILLS:
            worker = subprocess.Popen(
                [sys.executable, "-c", _WORKER], stdout=subprocess.PIPE, text=True, env=os.environ
            )
            assert worker.stdout is not None
            for _ in range(kills + 1):
                worker.stdout.readline()
            time.sleep(0.01 * kills)  # somewhere inside the next step
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            kills += 1
        sys.stdout.write(json.dumps({"kills": kills, **_account(number)}) + "\n")


_WORKER = """
import django; django.setup()
from xueka.contexts.schoolyear.models import Job
from xueka.contexts.schoolyear.services import steps
job = Job.objects.get()
while steps.advance(job.id):
    print("step", flush=True)
"""


def _city() -> str:
    from django.db import transaction

    from tests.unit.cards.conftest import build
    from xueka.contexts.registry import api as registry
    from xueka.contexts.schoolyear import api as year
    from xueka.platform.identity.actor import Actor
    from xueka.platform.identity.scope import Scope

    city = build()
    for serial in range(SCHOOLS - len(city.schools)):
        school = registry.School.objects.create(
            code=f"21110190{serial:02d}", name=f"学校{serial}", district_id="110101", stages=["小学"]
        )
        registry.SchoolClass.objects.create(school=school, stage="小学", grade=1, name="1班")
        city.schools.append(school)
    for index in range(SCHOOLS):
        city.students(STUDENTS, index)
    one, two = (Actor.in_role(name, name, "city_operator", Scope("city")) for name in ("one", "two"))
    with transaction.atomic():
        job = year.create_job(one, "promotion", "city")
        year.preview_now(job)
        year.confirm_job(two, job.number)
    return job.number


def _account(number: str) -> dict[str, object]:
    from collections import Counter

    from xueka.contexts.registry import api as registry
    from xueka.contexts.schoolyear import api as year
    from xueka.contexts.schoolyear.models import Job, Piece
    from xueka.platform.invariants import check

    while year.work(60):
        pass
    grades = registry.Student.objects.values_list("school_class__grade", flat=True)
    return {
        "state": Job.objects.get(number=number).state,
        "grades": dict(Counter(map(str, grades))),
        "enrolments": registry.Enrolment.objects.count(),
        "pieces": dict(Counter(Piece.objects.values_list("state", flat=True))),
        "violated": [one.name for one in year.INVARIANTS if check(one).violated],
    }


if __name__ == "__main__":
    main()

"""kill -9 of the process that reads the student registry, at each stage: it goes on where the last page was
kept, or begins to compare anew; what it says is brought in whole and once, or not at all.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from tests.support.registry import SCHOOLS, clean, load_schools
from tests.support.size import dial
from tests.support.student_registry import OPERATOR, Registry, ours, person, registry_beside
from xueka.contexts.interop.models import Comparison, Difference, SchoolRound
from xueka.contexts.registry.api import INVARIANTS
from xueka.contexts.registry.models import (
    Absence,
    ImportRun,
    OneRosterFetch,
    OneRosterLink,
    OneRosterPage,
    StudentBefore,
)
from xueka.contexts.registry.oneroster import fetching
from xueka.platform.invariants import check

SEED = 20261126
PUPILS = dial(45, 200)
#: One death after the other in one fetch: while pages are read, and while what came is brought in.
READING = dial(
    ("read 2", "before 2", "after 2"),
    tuple(f"{point} {count}" for count in (1, 2, 3) for point in ("read", "before", "after")),
)
SETTLING = ("applied", "linked", "judged", "before 1", "after 1")
KILLS, ROUNDS = dial((3, 1), (100, 20))

pytestmark = pytest.mark.django_db(transaction=True)


class Reader:
    """The process that reads, for one fetch."""

    def __init__(self, registry: Registry) -> None:
        self.number = fetching.ask(OPERATOR).id
        self._told = [str(connection.settings_dict["NAME"]), str(registry.house.card), str(self.number)]

    def start(self, point: str) -> "subprocess.Popen[str]":
        surroundings = {**os.environ, "DJANGO_SETTINGS_MODULE": "xueka.config.settings_for_tests"}
        command = [sys.executable, "-m", "tests.faults.registry_reader", *self._told, point]
        return subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True)

    def run(self, point: str = "end") -> int:
        with self.start(point) as process:
            process.communicate(timeout=300)
        return process.returncode

    def killed_after(self, lines: int, seconds: float) -> bool:
        """Whether it died of a kill that came so long after so many lines; else it was done before."""
        with self.start("end") as process:
            assert process.stdout
            for line in process.stdout:
                lines -= 1
                if line == "done\n":
                    break
                if lines < 0:
                    time.sleep(seconds)
                    process.kill()
                    break
            process.stdout.read()
        return process.returncode == -signal.SIGKILL

    @property
    def fetch(self) -> OneRosterFetch:
        return OneRosterFetch.objects.get(id=self.number)

    @property
    def pages(self) -> int:
        return OneRosterPage.objects.filter(fetch=self.number).count()


def kept() -> dict[str, Any]:
    """All that a run leaves behind."""
    rows = (ImportRun, OneRosterLink, StudentBefore, Absence)
    return {**ours(), **{model.__name__: model.objects.count() for model in rows}}


def runs() -> int:
    return ImportRun.objects.filter(kind="oneroster", dry_run=False).count()


def die_all_the_way(registry: Registry) -> None:
    """One fetch from its beginning to its end, by processes that die at every stage of it."""
    reader, before, brought = Reader(registry), kept(), runs()
    for point in READING:
        pages = reader.pages
        assert reader.run(point) == -signal.SIGKILL, point
        word, count = point.split()
        # Whoever dies between an answer and its commit has kept the pages before it, and no more.
        assert reader.pages == pages + int(count) - (word != "after"), point
        assert kept() == before
    assert reader.fetch.fetched_at is None
    for point in SETTLING[:-1]:
        assert reader.run(point) == -signal.SIGKILL, point
        assert reader.fetch.fetched_at and not reader.fetch.ended_at
        assert kept() == before, point
    assert reader.run(SETTLING[-1]) == -signal.SIGKILL
    found = reader.fetch
    assert found.ended_at and found.run_id, found.problem
    assert runs() == brought + 1
    assert registry.agrees()
    after = kept()
    assert reader.run() == 0  # whoever finds it done does nothing
    assert kept() == after


def sound() -> None:
    assert [each.name for each in INVARIANTS if check(each).violated] == []


def change(registry: Registry, users: list[str], dice: random.Random) -> None:
    """Some get another name, some another class, one leaves, one comes back."""
    there = registry.roll.users()
    for user in dice.sample(there, 9):
        registry.roll.correct(user, {"name": "欧阳" + dice.choice("文武斌")})
    rows = clean(PUPILS)
    for user in dice.sample(there, 3):
        registry.roll.move(user, person(rows[dice.randrange(PUPILS)]))
    gone = [each for each in users if each not in there]
    registry.roll.leave(dice.choice(there))
    if gone:
        registry.roll.come_back(gone[0])


@pytest.mark.parametrize("full", dial([False], [True, False]))
def test_killed_at_each_stage(full: bool, tmp_path: Path, settings: LazySettings) -> None:
    load_schools()
    with registry_beside(tmp_path / "registry", settings) as registry:
        users = registry.enter(clean(PUPILS))
        if not full:
            assert registry.fetch().run
            change(registry, users, random.Random(SEED))
        die_all_the_way(registry)
    sound()


def test_the_comparison_of_the_schools_goes_on_after_each_death(
    tmp_path: Path, settings: LazySettings
) -> None:
    load_schools()
    with registry_beside(tmp_path / "registry", settings) as registry:
        users = registry.enter(clean(PUPILS))
        assert registry.fetch().run
        gone = users[:2]
        for user in gone:  # without a word: no night's changes tell of it
            registry.roll.purge("users", user)
            registry.roll.purge("enrollments", f"e-{user}")
        told = [str(connection.settings_dict["NAME"]), str(registry.house.card)]
        surroundings = {**os.environ, "DJANGO_SETTINGS_MODULE": "xueka.config.settings_for_tests"}

        def compare(point: str) -> int:
            command = [sys.executable, "-m", "tests.faults.schools_comparer", *told, point]
            return subprocess.run(command, env=surroundings, timeout=300, check=False).returncode

        done = []
        for point in (
            "after 1",
            "read 1",
            "before 1",
            "after 1",
        ):  # begun; then a school, lost twice and kept
            assert compare(point) == -signal.SIGKILL, point
            done.append(SchoolRound.objects.get().schools)
        assert done == [0, 0, 0, 1], done
        assert compare("end") == 0
        found = SchoolRound.objects.get()
        assert found.comparison and found.schools == len({row[0] for row in SCHOOLS[:2]})
        assert (found.ours, found.theirs, found.comparison.differing) == (PUPILS, PUPILS - 2, 2)
        keys = Difference.objects.values_list("key", flat=True)
        assert sorted(key.partition("/")[2] for key in keys) == sorted(
            each.removeprefix("u-") for each in gone
        )
        assert Comparison.objects.count() == 1 and compare("end") == 0
        assert set(Difference.objects.values_list("times", flat=True)) == {1}
    sound()


def test_killed_at_random(tmp_path: Path, settings: LazySettings) -> None:
    print(f"seed {SEED}")
    dice, killed = random.Random(SEED), 0
    load_schools()
    with registry_beside(tmp_path / "registry", settings) as registry:
        users = registry.enter(clean(PUPILS))
        for number in range(ROUNDS + 1):
            reader, before = Reader(registry), kept()
            while killed < KILLS * (number + 1) // (ROUNDS + 1):
                if not reader.killed_after(dice.randrange(6), dice.random() * dice.choice((0, 0.05, 0.5))):
                    break
                killed += 1
                if not reader.fetch.ended_at:
                    assert kept() == before
            assert reader.fetch.ended_at or reader.run() == 0
            assert reader.fetch.run_id, reader.fetch.problem
            assert registry.agrees(), number
            change(registry, users, dice)
    print(f"{killed} kills, {ROUNDS + 1} fetches")
    assert killed
    sound()

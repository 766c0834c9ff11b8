"""A whole year from one seed, in processes of their own: equal seeds, equal cities; nothing violated."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import run_database
from tests.support.size import dial
from xueka.simulation.agreement import MONEY, SIDES

STUDENTS = dial(64, 600)
SEED = 35


@dataclass
class City:
    """One simulated city: a home and a database of its own."""

    environment: dict[str, str]
    result: dict[str, Any]

    def xueka(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._run("-m", "xueka", *arguments)

    def script(self, text: str) -> str:
        """What a script prints that works in this city."""
        lines = "".join(f"    {line}\n" for line in text.splitlines())
        done = self._run(
            "-c", f"from xueka.entrypoints.cli import common\nwith common.database():\n{lines}", check=True
        )
        return done.stdout.strip()

    def _run(self, *arguments: str, check: bool = False) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=900,
        )


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[tuple[City, City]]:
    """Two of the same seed, side by side: the one is in the other's way whenever it can be."""
    names = ("one", "other")
    homes = [str(tmp_path_factory.mktemp(each)) for each in names]
    with (
        run_database.another(names[0], XUEKA_HOME=homes[0]) as one,
        run_database.another(names[1], XUEKA_HOME=homes[1]) as other,
    ):
        running = [_start(each) for each in (one, other)]
        try:
            said = [each.communicate(timeout=1800) for each in running]
        finally:
            for each in running:
                each.kill()
        for process, (_, errors) in zip(running, said, strict=True):
            assert process.returncode == 0, errors[-2000:]
        yield City(one, json.loads(said[0][0])), City(other, json.loads(said[1][0]))


@pytest.fixture(scope="module")
def city(cities: tuple[City, City]) -> City:
    return cities[0]


def _start(environment: dict[str, str]) -> "subprocess.Popen[str]":
    asked = ("--students", str(STUDENTS), "--seed", str(SEED), "--faults", "heavy", "--json")
    command = [sys.executable, "-m", "xueka", "simulate", *asked]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_everybody_ends_with_a_card_and_nothing_is_violated(city: City) -> None:
    result = city.result
    assert result["students"] == STUDENTS
    assert result["cards_active"] == STUDENTS
    assert result["invariants"]["violated"] == 0
    assert result["invariants"]["checked"] > STUDENTS
    assert result["batches"] and result["boxes"] and result["returned"] >= STUDENTS


def test_families_paid_and_every_week_was_closed(city: City) -> None:
    result = city.result
    assert result["replacements"] and result["remitted_fen"]
    assert result["closes"] >= 33  # from the first money in November to the end of June
    books = json.loads(city.xueka("ledger", "verify", "--json").stdout)
    assert books["balanced"] and books["entries"] > result["replacements"]


def test_every_counterpart_holds_what_we_hold(city: City) -> None:
    """After a year under the heavy dial, without a person."""
    lines = {each["counterpart"]: each for each in city.result["counterparts"]}
    assert set(lines) == {*MONEY, *SIDES}
    assert {name: each["differing"] for name, each in lines.items()} == dict.fromkeys(lines, 0)
    assert all(each["compared"] and each["faults"] for each in lines.values()), lines
    assert city.result["parcels"]
    assert city.result["fetched_changes"], "pupils of whom no file told"


def test_the_same_seed_gives_the_same_city(cities: tuple[City, City]) -> None:
    """But for how often was tried: two runs that share a machine lose other calls."""
    one, other = map(_held, cities)
    assert one == other


def _held(city: City) -> dict[str, Any]:
    """What both must have alike. What was told again is checked as all the rest is: `checked` may differ."""
    lines = [
        (each["counterpart"], each["compared"], each["differing"]) for each in city.result["counterparts"]
    ]
    violated = city.result["invariants"]["violated"]
    return {**city.result, "seconds": 0, "invariants": violated, "counterparts": lines}


def test_a_city_that_is_there_is_not_overwritten(city: City) -> None:
    done = city.xueka("simulate", "--students", "16", "--seed", "8", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "HOME_NOT_EMPTY"
    verified = city.xueka("verify", "--json")
    assert verified.returncode == 0, verified.stdout
    number = city.script(
        "from xueka.contexts.cards import api as cards\n"
        "print(cards.Card.objects.filter(state='active').first().number)"
    )
    assert json.loads(city.xueka("card", "show", number, "--json").stdout)["cards"]


def test_one_changed_state_changes_the_digest_and_is_found(city: City) -> None:
    """Last, because it damages the city."""
    said = city.script(
        "from django.db import connection\n"
        "from xueka.simulation.digest import business_digest\n"
        "print(business_digest())\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute(\"UPDATE cards_card SET state = 'cancelled' WHERE id ="
        " (SELECT min(id) FROM cards_card WHERE state = 'active')\")\n"
        "print(business_digest())"
    )
    before, after = said.split()
    assert before == city.result["digest"]
    assert after != before
    verified = city.xueka("verify", "--json")
    assert verified.returncode == 1
    violated = [each["name"] for each in json.loads(verified.stdout)["invariants"] if each["violated"]]
    assert "card_state_equals_last_history_row" in violated

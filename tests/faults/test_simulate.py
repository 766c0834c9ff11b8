"""A whole year from one seed, in processes of their own: equal seeds, equal cities; nothing violated."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.size import dial

STUDENTS = dial(64, 600)


def _xueka(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"XUEKA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
    return subprocess.run(
        [sys.executable, "-m", "xueka", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def _simulate(home: Path, seed: int, faults: str = "heavy") -> dict[str, Any]:
    done = _xueka(
        home, "simulate", "--students", str(STUDENTS), "--seed", str(seed), "--faults", faults, "--json"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = tmp_path_factory.mktemp("city")
    return home, _simulate(home, seed=35)


def test_everybody_ends_with_a_card_and_nothing_is_violated(city: tuple[Path, dict[str, Any]]) -> None:
    _, result = city
    assert result["students"] == STUDENTS
    assert result["cards_active"] == STUDENTS
    assert result["invariants"]["violated"] == 0
    assert result["invariants"]["checked"] > STUDENTS
    assert result["batches"] and result["boxes"] and result["returned"] >= STUDENTS


def test_families_paid_and_every_week_was_closed(city: tuple[Path, dict[str, Any]]) -> None:
    home, result = city
    assert result["replacements"] and result["remitted_fen"]
    assert result["closes"] >= 33  # from the first money in November to the end of June
    books = json.loads(_xueka(home, "ledger", "verify", "--json").stdout)
    assert books["balanced"] and books["entries"] > result["replacements"]


def test_the_same_seed_gives_the_same_city(city: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    again = _simulate(tmp_path, seed=35)
    assert {**again, "seconds": 0} == {**city[1], "seconds": 0}


def test_a_city_that_is_there_is_not_overwritten(city: tuple[Path, dict[str, Any]]) -> None:
    home, result = city
    done = _xueka(home, "simulate", "--students", "16", "--seed", "8", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "HOME_NOT_EMPTY"
    verified = _xueka(home, "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(_xueka(home, "card", "show", _some_card(home), "--json").stdout)["cards"]
    assert result["digest"]


def test_one_changed_state_changes_the_digest_and_is_found(city: tuple[Path, dict[str, Any]]) -> None:
    """Last, because it damages the city."""
    home, result = city
    script = (
        "from xueka.entrypoints.cli import common\n"
        "with common.database():\n"
        "    from django.db import connection\n"
        "    from xueka.simulation.digest import business_digest\n"
        "    print(business_digest())\n"
        "    with connection.cursor() as cursor:\n"
        "        cursor.execute(\"UPDATE cards_card SET state = 'cancelled' WHERE id ="
        " (SELECT min(id) FROM cards_card WHERE state = 'active')\")\n"
        "    print(business_digest())\n"
    )
    environment = os.environ | {"XUEKA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    before, after = done.stdout.split()
    assert before == result["digest"]
    assert after != before
    verified = _xueka(home, "verify", "--json")
    assert verified.returncode == 1
    violated = [each["name"] for each in json.loads(verified.stdout)["invariants"] if each["violated"]]
    assert "card_state_equals_last_history_row" in violated


def _some_card(home: Path) -> str:
    script = (
        "from xueka.entrypoints.cli import common\n"
        "with common.database():\n"
        "    from xueka.contexts.cards import api as cards\n"
        "    print(cards.Card.objects.filter(state='active').first().number)\n"
    )
    environment = os.environ | {"XUEKA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout.strip()

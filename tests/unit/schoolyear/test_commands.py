"""`xueka year …`: one JSON object, exit code 1 for findings, and nothing left behind by a dry run."""

import contextlib
import json

import pytest
from typer.testing import CliRunner

from tests.unit.schoolyear.conftest import SECOND, City, digest
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.models import Job
from xueka.entrypoints.cli import common, year_commands
from xueka.platform.identity import accounts


@pytest.fixture(autouse=True)
def inside_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use the test's own database instead of starting theirs."""
    monkeypatch.setattr(common, "database", contextlib.nullcontext)


def answer(*words: str, code: int = 0) -> dict:
    result = CliRunner().invoke(year_commands.app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_dry_run_says_what_would_happen_and_leaves_nothing(town: City) -> None:
    town.pupils("小学", 1, 3)
    before = digest()
    found = answer("promote", "--dry-run")
    assert (found["planned"], found["state"], found["dry_run"]) == (3, "previewed", True)
    assert not Job.objects.exists()
    assert digest() == before
    town.pupils("小学", 6, 2, school=1)
    found = answer("promote", "--district", "110101", "--dry-run", code=1)
    assert found["blocked"][0]["school"] == town.schools[1].code
    found = answer("merge", town.schools[1].code, "--into", town.schools[0].code, "--dry-run")
    assert found["planned"] == 2
    assert answer("graduate", "--school", town.schools[1].code, "--dry-run")["planned"] == 2
    assert answer("rename", town.schools[1].code, "新名", "--dry-run")["planned"] == 1
    assert answer("close", town.schools[1].code, "--dry-run", code=1)["blocked"]


def test_from_the_wish_to_the_way_back(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    town.pupils("小学", 1, 3)
    before = digest()
    number = answer("promote")["number"]
    monkeypatch.setattr(accounts, "actor_for", lambda name: SECOND)
    assert answer("confirm", number, "--as", "two")["state"] == "confirmed"
    answer("work")
    assert answer("show", number)["done"] == 3
    assert answer("list")["jobs"] == [{"number": number, "kind": "promotion", "state": "done"}]
    assert answer("take-back", number, "--reason", "办错了", "--as", "two")["state"] == "taking_back"
    answer("work")
    assert answer("show", number)["undone"] == 3
    assert digest() == before
    text = CliRunner().invoke(year_commands.app, ["show", number]).stdout
    assert "已恢复 3" in text
    assert year.job(SECOND.scope, number).state == "taken_back"

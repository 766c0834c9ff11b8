"""`xueka sandbox`: any simulator by one command, which says where it is and where papers go."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xueka.entrypoints.cli import sandbox_commands
from xueka.entrypoints.cli.main import build
from xueka.simulation import counterparts
from xueka.simulation.counterparts import SIMULATORS

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path))


def test_it_starts_says_where_it_is_and_leaves_nothing() -> None:
    command = [sys.executable, "-m", "xueka", "sandbox", "couriers", "--faults", "heavy"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert started.stdout is not None
        first = started.stdout.readline()
        one = SIMULATORS["couriers"]
        assert one.address() and one.address() in first
        assert str(one.card) in started.stdout.readline()
        assert str(one.home / "city") in started.stdout.readline()
        listed = json.loads(CliRunner().invoke(build(), ["sandbox", "list", "--json"]).stdout)["simulators"]
        assert [each["name"] for each in listed if each["running"]] == ["couriers"]
        again = CliRunner().invoke(build(), ["sandbox", "couriers"])
        assert getattr(again.exception, "code", "") == "ALREADY_RUNNING"
    finally:
        started.send_signal(signal.SIGTERM)
        started.communicate()
    assert not counterparts.listens(one.address())


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["transit", "--sign", "v1,v1sm2"], ["--sign", "v1,v1sm2"]),
        (["welfare"], ["--sign", "v1"]),
        (["couriers", "--labels"], ["--labels"]),
    ],
)
def test_what_one_alone_takes_is_passed_on(
    command: list[str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(sandbox_commands, "_run", lambda one, more, speed: started.append(one.command(*more)))
    result = CliRunner().invoke(build(), ["sandbox", *command])
    assert result.exit_code == 0, result.output
    [made] = started
    assert made[-len(told) :] == told
    module = importlib.import_module(made[made.index("-m") + 1] + ".__main__")
    assert module.parser().parse_args(made[made.index("--home") :])


def test_the_choice_of_signature_is_one_of_the_pages() -> None:
    assert CliRunner().invoke(build(), ["sandbox", "transit", "--sign", "md5"]).exit_code == 2
    assert CliRunner().invoke(build(), ["sandbox", "couriers", "--sign", "v1"]).exit_code == 2


def test_one_that_needs_our_papers_says_so() -> None:
    told = CliRunner().invoke(build(), ["sandbox", "bureau"]).exception
    assert getattr(told, "code", "") == "CITY_PAPERS_MISSING"


@pytest.mark.parametrize("name", SIMULATORS)
def test_each_has_its_page_and_its_module(name: str) -> None:
    one = SIMULATORS[name]
    assert (ROOT / "docs" / "interfaces" / f"{one.page}.md").exists()
    assert (ROOT / "src" / "xueka" / "sandbox" / (one.module or name) / "__main__.py").exists()

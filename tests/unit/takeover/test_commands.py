"""`xueka takeover …`: one JSON object each, and exit codes that a script can go by."""

import contextlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.takeover.conftest import Programme
from xueka.entrypoints.cli import common, takeover_commands
from xueka.kernel.errors import Refused
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor


@pytest.fixture(autouse=True)
def inside_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands use the test's own database instead of starting theirs."""
    monkeypatch.setattr(common, "database", contextlib.nullcontext)


def answer(*words: str, code: int = 0) -> dict:
    result = CliRunner().invoke(takeover_commands.app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_checked_loaded_compared_and_taken_back(programme: Programme, tmp_path: Path) -> None:
    extract = programme.extract(defects=True)
    for name, content in extract.files().items():
        (tmp_path / name).write_bytes(content)
    checked = answer("check", str(tmp_path), code=1)
    assert checked["totals_agree"]
    assert len(checked["errors"]) == len(extract.key)
    number = checked["number"]
    with pytest.raises(Refused):
        answer("load", number, "--without-rejected")
    identity.create_user(Actor.system("test"), "anna", "安娜", "city_operator")
    loaded = answer("load", number, "--without-rejected", "--as", "anna")
    assert (loaded["state"], loaded["left_out_since"]) == ("loaded", 0)
    cards = loaded["parts"]["cards"]["loaded"]
    assert cards == checked["counts"]["cards"]["accepted"]
    assert answer("diff", str(tmp_path), code=1)["differences"]["cards"]["only_old"] > 0
    assert answer("undo", number, "--dry-run")["going"]["cards"] == cards
    answer("undo", number, "--reason", "文件有误")
    assert answer("undo", number, "--approve", "--as", "anna")["parts"]["cards"]["back"] == cards

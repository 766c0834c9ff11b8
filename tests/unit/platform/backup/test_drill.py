"""Drills: one at a time, and nothing of a killed one stays."""

import subprocess
from pathlib import Path

import pytest

from xueka.kernel.errors import Conflict, Refused
from xueka.platform.backup import drill
from xueka.platform.database import home


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base = tmp_path / "home"
    base.mkdir()
    monkeypatch.setattr(home, "home", lambda: base)
    return base


def left_by_a_killed_one(base: Path, elsewhere: Path) -> None:
    (base / "drill" / "tmpx" / "database").mkdir(parents=True)
    (base / "drill" / "tmpx" / "keys").write_text("a key")
    elsewhere.mkdir()
    (base / "drill" / "tmpx" / "database" / "location").write_text(f"{elsewhere}\n")


def test_what_a_killed_drill_left_is_taken_away(own_home: Path, tmp_path: Path) -> None:
    left_by_a_killed_one(own_home, tmp_path / "elsewhere")
    drill.clear_left()
    assert list((own_home / "drill").iterdir()) == []
    assert not (tmp_path / "elsewhere").exists()


def test_one_at_a_time(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def restore(command: list[str], **given: object) -> subprocess.CompletedProcess[str]:
        """In the middle of it others find it at work, and take nothing away."""
        drill.clear_left()
        assert list((own_home / "drill").iterdir())
        with pytest.raises(Conflict):
            drill.run(tmp_path / "a.xkb", ["--passphrase-file=x"])
        return subprocess.CompletedProcess(command, 1, "", "")

    monkeypatch.setattr(drill.subprocess, "run", restore)
    for _ in range(2):  # and afterwards the next one may
        with pytest.raises(Refused) as refusal:
            drill.run(tmp_path / "a.xkb", ["--passphrase-file=x"])
        assert refusal.value.code == "DRILL_FAILED"
    assert list((own_home / "drill").iterdir()) == []

"""Cards written by server, agent and reader, some pulled at random: each ends verified or void, none twice.

Small in CI; XUEKA_TEST_SIZE=full writes 200 cards of which 5 % are pulled. Each dial may be set by itself:
XUEKA_WRITE_CARDS, XUEKA_WRITE_PULL, XUEKA_WRITE_SEED.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support import pcsc, prepared_home
from tests.support.size import dial

CARDS = int(os.environ.get("XUEKA_WRITE_CARDS", dial(6, 200)))
PULL = float(os.environ.get("XUEKA_WRITE_PULL", dial(0.6, 0.05)))
SEED = os.environ.get("XUEKA_WRITE_SEED", "1")


@pytest.mark.parametrize("profile", ["bjt_student-1.0.toml", "bjt_student-2.0.toml"][: dial(1, 2)])
def test_every_card_ends_verified_or_void(profile: str) -> None:
    pcsc.require()
    with tempfile.TemporaryDirectory(prefix="xueka-test-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        prepared_home.lay_out(Path(home))
        report = _run(home, profile)
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    assert set(report["sessions"]) <= {"verified", "void"}
    assert report["sessions"]["verified"] == report["cards"]["ready"] == CARDS
    assert report["cards"].get("failed", 0) == report["sessions"].get("void", 0)
    assert report["plastic"] == sum(report["sessions"].values())
    assert report["chips_twice"] == 0
    assert report["keys_of_verified_cards"] == 3 * CARDS
    assert set(report["round_trips_plain"]) == {"6"}
    assert 0 < report["redone"] <= sum(report["pulled"].values())
    assert report["violated"] == []


def _run(home: str, profile: str) -> dict:
    environment = {
        **os.environ,
        "XUEKA_HOME": home,
        "XUEKA_STATIC": f"{home}/static",
        "DJANGO_SETTINGS_MODULE": "xueka.config.settings",
    }
    environment.pop("DATABASE_URL", None)
    options = ["--cards", str(CARDS), "--pull", str(PULL), "--seed", SEED, "--profile", profile]
    command = [sys.executable, "-m", "tests.faults.write_cards", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-8000:]
    report: dict = json.loads(done.stdout)
    return report

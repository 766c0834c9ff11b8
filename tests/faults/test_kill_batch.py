"""kill -9 of everybody while a batch is made: nothing lost, nothing doubled, and it goes on by itself.

Small in CI; XUEKA_TEST_SIZE=full kills 200 times while batches of 10,000 cards are made. Each dial may be
set by itself: XUEKA_FAULT_KILLS, XUEKA_FAULT_CARDS, XUEKA_FAULT_PAUSE, XUEKA_FAULT_SEED.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.dying_worker import STEPS
from tests.faults.factory_floor import KINDS
from tests.support import prepared_home
from tests.support.size import dial

KILLS = int(os.environ.get("XUEKA_FAULT_KILLS", dial(5, 200)))
PAUSE = os.environ.get("XUEKA_FAULT_PAUSE", str(dial(1, 10)))  # mean seconds between two kills
CARDS = int(os.environ.get("XUEKA_FAULT_CARDS", dial(60, 10_000)))
SEED = os.environ.get("XUEKA_FAULT_SEED", "1")


def test_nothing_is_lost_or_doubled() -> None:
    with tempfile.TemporaryDirectory(prefix="xueka-test-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        prepared_home.lay_out(Path(home))
        report = _run(home)
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    cards, batches = report["cards"], report["batches"]

    kills = report["kills"]
    assert sum(kills.values()) == KILLS
    assert len(KINDS) > KILLS or set(kills) == set(KINDS)
    assert report["boundaries"] == {f"{side} {step}": 1 for side in ("before", "after") for step in STEPS}

    assert (report["made"], report["chips"]) == (cards, cards)
    assert report["card_histories"] == {"create order make": cards}
    assert report["packages"] == batches
    assert report["returns"] == {"made": batches, "applied": batches}
    assert report["problems"] == 0
    assert report["invariants"]["violated"] == []
    assert "every_card_sent_had_a_stored_intent" not in report["invariants"]["unchecked"]


def _run(home: str) -> dict:
    environment = {
        **os.environ,
        "XUEKA_HOME": home,
        "XUEKA_STATIC": f"{home}/static",
        "DJANGO_SETTINGS_MODULE": "xueka.config.settings",
    }
    environment.pop("DATABASE_URL", None)
    options = ["--cards", str(CARDS), "--kills", str(KILLS), "--pause", PAUSE, "--seed", SEED, "--boundaries"]
    command = [sys.executable, "-m", "tests.faults.make_batches", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    report: dict = json.loads(done.stdout)
    return report

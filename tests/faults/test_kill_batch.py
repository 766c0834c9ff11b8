"""kill -9 of everybody while a batch is made: nothing lost, nothing doubled, and it goes on by itself.

Small in CI. In full: XUEKA_FAULT_KILLS=200 XUEKA_FAULT_CARDS=10000 pytest -s tests/faults/test_kill_batch.py
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.factory_floor import KINDS

KILLS = int(os.environ.get("XUEKA_FAULT_KILLS", "5"))
CARDS = int(os.environ.get("XUEKA_FAULT_CARDS", "60"))
SEED = os.environ.get("XUEKA_FAULT_SEED", "1")


def test_nothing_is_lost_or_doubled() -> None:
    with tempfile.TemporaryDirectory(prefix="xueka-test-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o711)  # the database server may run as another user
        report = _run(home)
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    cards, batches = report["cards"], report["batches"]

    assert sum(report["kills"].values()) == KILLS
    if KILLS >= len(KINDS):
        assert all(report["kills"][kind] > 0 for kind in KINDS)
    steps = ["build", "send", "take", "take"]  # the last two: acknowledgement and return file
    assert report["boundaries"] == {
        f"{side} {step}": steps.count(step) for side in ("before", "after") for step in steps
    }

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
    options = ["--cards", str(CARDS), "--kills", str(KILLS), "--seed", SEED, "--boundaries"]
    command = [sys.executable, "-m", "tests.faults.make_batches", *options]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    report: dict = json.loads(done.stdout)
    return report

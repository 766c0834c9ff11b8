"""Check 12: the outbox under a failing receiver and killed senders. Nothing lost, order kept, applied once.

Full size: `XUEKA_TEST_SIZE=full`, or `python -m tests.faults.exchange_town` with a dial of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.size import dial

EVENTS, CARDS, KILLS, SENDERS = dial((300, 30, 1, 1), (100_000, 20_000, 50, 2))


def test_nothing_is_lost_and_nothing_is_applied_twice(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"XUEKA_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "xueka.config.settings"}
    command = [sys.executable, "-m", "tests.faults.exchange_town", "--events", str(EVENTS)]
    command += ["--cards", str(CARDS), "--kills", str(KILLS), "--senders", str(SENDERS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=7200)
    print(done.stdout, done.stderr[-2000:])
    seen = json.loads(done.stdout)
    assert done.returncode == 0, seen
    assert (seen["applied"], seen["lost"], seen["twice"], seen["out_of_order"]) == (EVENTS, 0, 0, 0)
    assert seen["kills"] == KILLS and seen["failed_tries"] > EVENTS // 10 and seen["came_again"] > 0

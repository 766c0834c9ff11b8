"""The counterparts of a demo city start by the command that `serve` uses, and come back to their port."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.merchant import lent_keys
from xueka.simulation.counterparts import SIMULATORS

START_LIMIT = 60.0


@pytest.mark.parametrize("name", [each.name for each in SIMULATORS.values() if not each.needs])
def test_it_writes_its_visiting_card_and_comes_back(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path))
    lent_keys(SIMULATORS["channels"].home)
    one = SIMULATORS[name]
    card = one.card
    ports = []
    for _ in range(2):
        before = card.stat().st_mtime_ns if card.exists() else 0
        process = subprocess.Popen(one.command("--port", str(one.port()), "--seed", "7"))
        until = time.monotonic() + START_LIMIT
        while not card.exists() or card.stat().st_mtime_ns == before:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        ports.append(json.loads(card.read_text("utf-8"))["port"])
        assert card.stat().st_mode & 0o777 == 0o600
        process.kill()
        process.wait()
    assert ports[0] == ports[1]

"""The card bureau's process beside a simulated city, and the two sides' exchange of keys."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xueka.contexts.production import api as production
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor

READY_LIMIT = 30.0  # seconds


@contextlib.contextmanager
def running(home: Path, *, seed: int, faults: str, drop: float = 0) -> Iterator[dict[str, Any]]:
    """The simulator as its own process, ended by its process id; yields its visiting card (partner.json)."""
    city = home / "city"
    city.mkdir(parents=True, exist_ok=True)
    keys = production.public_keys()
    (city / "city-sign.pub.pem").write_text(keys.signing_key, "ascii")
    (city / "city-ssh.pub").write_text(keys.ssh_key + "\n", "ascii")
    card = home / "partner.json"
    # One that ran here before comes back to the port that the city knows.
    port = json.loads(card.read_text("utf-8"))["port"] if card.exists() else 0
    card.unlink(missing_ok=True)
    with (home / "bureau.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "xueka.sandbox.bureau", "--home", str(home)),
                *("--port", str(port), "--seed", str(seed), "--faults", faults),
                *("--drop", str(drop)),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield _wait_for(card, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(card: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline:
        if card.exists():
            found: dict[str, Any] = json.loads(card.read_text("utf-8"))
            return found
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise XuekaError(
        "BUREAU_NOT_READY",
        "卡厂模拟器没有启动成功。",
        action=f"请查看日志 {card.with_name('bureau.log')}。",
    )


def introduce(card: dict[str, Any], first: Actor, second: Actor) -> None:
    """Two people enter and confirm the bureau's address and keys, as they would after the telephone call."""
    partner = production.register_partner(first, **card)
    production.confirm_partner(
        second, partner.code, partner.signing_fingerprint, partner.encryption_fingerprint
    )

"""A counterpart's process beside a simulated city: started, steered over its control, ended."""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.simulation import counterparts
from xueka.simulation.counterparts import SPEED

READY_LIMIT = 60.0  # seconds
#: For the loopback alone, past any proxy of the machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Counterpart:
    """The control of one (docs/interfaces/channels.md §8): its clock stands where ours does."""

    def __init__(self, base: str, token: str) -> None:
        self._base, self._token = base, token
        self._told: str | None = None

    def keep_time(self, now: str | None = "") -> None:
        """Their clock stands where ours does; None lets it go as the wall clock does."""
        moment = clock.local(clock.now()).isoformat() if now == "" else now
        if moment != self._told:
            self._told = moment
            self._read("POST", "clock", {"now": moment})

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self.raw(method, path, body) or b"null")

    def may(self, method: str, path: str, body: dict[str, Any]) -> bool:
        """Whether they did it; no is an answer too."""
        try:
            self.raw(method, path, body)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            return False
        return True

    def raw(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        self.keep_time()
        return self._read(method, path, body)

    def _read(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the loopback address of the card
            f"{self._base}/_sim/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with OPENER.open(request, timeout=60) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def running_beside(name: str, *more: str, seed: int, faults: str) -> Iterator[dict[str, Any]]:
    """The process `name` with its notices to be fetched, and `more` options; yields its visiting card."""
    simulator = counterparts.SIMULATORS[name]
    folder, card = simulator.home, simulator.card
    folder.mkdir(parents=True, exist_ok=True)
    card.unlink(missing_ok=True)
    command = simulator.command("--port", str(counterparts.free_port(0)), "--seed", str(seed), speed=SPEED)
    command += ["--notices", "pull", "--faults", faults, *more]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield _wait_for(name, card, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(name: str, card: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        if card.exists():
            found: dict[str, Any] = json.loads(card.read_text("utf-8"))
            return found
        time.sleep(0.02)
    raise XuekaError(
        "COUNTERPART_NOT_READY",
        f"{counterparts.SIMULATORS[name].label}没有启动成功。",
        action=f"请查看日志 {card.with_name('log')}。",
    )

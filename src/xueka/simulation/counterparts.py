"""Payment channels, finance office and message gateway of a demo or simulated city: processes of their own.

Each keeps its things below XUEKA_HOME/<name>; its visiting card there (partner.json) says where it listens
and what it hands over (docs/interfaces/channels.md, nontax.md, messages.md §1).
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from xueka.kernel.errors import XuekaError
from xueka.platform.database import home

#: Name, which is also the folder and the module below xueka.sandbox → what people call it.
NAMES = {"channels": "支付渠道模拟器", "finance": "财政非税模拟器", "messages": "短信网关模拟器"}
READY_LIMIT = 60.0  # seconds; the first start makes its keys
#: Notices of the demo come again within seconds where a channel waits minutes.
DEMO_SPEED = 60


def folder(name: str) -> Path:
    return home.home() / name


def card(name: str) -> dict[str, Any] | None:
    """The visiting card of one that has listened before."""
    path = folder(name) / "partner.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def command(name: str, *, seed: int, faults: str = "none", pull: bool = False) -> list[str]:
    """How its process is started; it comes back to the port that it had, when that is free."""
    made = [sys.executable, "-m", f"xueka.sandbox.{name}", "--home", str(folder(name))]
    made += ["--seed", str(seed), "--faults", faults, "--speed", str(DEMO_SPEED)]
    return [*made, "--notices", "pull"] if pull and name != "messages" else made


@contextlib.contextmanager
def running(*, seed: int, faults: str) -> Iterator[dict[str, dict[str, Any]]]:
    """All three beside a simulated city, notices to be fetched; yields their visiting cards by name."""
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            _free(name)
        processes = {name: stack.enter_context(_process(name, seed, faults)) for name in NAMES}
        yield {name: _wait_for(name, process) for name, process in processes.items()}


@contextlib.contextmanager
def _process(name: str, seed: int, faults: str) -> Iterator["subprocess.Popen[bytes]"]:
    folder(name).mkdir(parents=True, exist_ok=True)
    with (folder(name) / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command(name, seed=seed, faults=faults, pull=True), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free(name: str) -> None:
    """Its old visiting card must not be taken for the new one; the port in it is given up."""
    (folder(name) / "partner.json").unlink(missing_ok=True)


def _wait_for(name: str, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        found = card(name)
        if found:
            return found
        time.sleep(0.02)
    raise XuekaError(
        "COUNTERPART_NOT_READY",
        f"{NAMES[name]}没有启动成功。",
        action=f"请查看日志 {folder(name) / f'{name}.log'}。",
    )


class Remote:
    """The control of a counterpart (channels.md §8): its clock, its dial, what it holds, notices to fetch."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._client = httpx.Client(
            base_url=found.get("control") or found["base"],
            headers={"Authorization": f"Bearer {found['control_token']}"},
            timeout=30,
            trust_env=False,
        )

    def get(self, path: str) -> Any:
        return self._answer(self._client.get(f"/_sim/{path}"))

    def post(self, path: str, body: Any) -> Any:
        return self._answer(self._client.post(f"/_sim/{path}", json=body))

    def put(self, path: str, body: Any) -> Any:
        return self._answer(self._client.put(f"/_sim/{path}", json=body))

    def _answer(self, answer: httpx.Response) -> Any:
        answer.raise_for_status()
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def close(self) -> None:
        self._client.close()

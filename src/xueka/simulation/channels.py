"""The payment channels' process beside a simulated city: its clock is ours, its notices are fetched."""

import base64
import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.simulation import counterparts

READY_LIMIT = 30.0  # seconds
#: Where the channels would send notices; nobody listens there, since they are fetched.
SITE = "http://127.0.0.1:9"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Channels:
    """What a simulated city lets the channels do (docs/interfaces/channels.md §8)."""

    def __init__(self, card: dict[str, Any]) -> None:
        self._base, self._token = card["base"], card["control_token"]
        self._told: str | None = None

    def pays(self, payment: payments.Payment, *, force: bool = False) -> bool:
        """A payer presses the button; whether the channel took the money. `force`: although it is closed."""
        body = {"channel": payment.channel, "out_trade_no": payment.out_trade_no, "force": force}
        try:
            self._control("POST", "pay", body)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            return False
        return True

    def opens(self, address: str) -> None:
        """A payer's browser opens the pay page, again where the channel hangs up or stumbles."""
        self.keep_time()
        for _ in range(10):
            try:
                _OPENER.open(address, timeout=30).close()
                return
            except OSError:
                continue

    def fetch(self) -> int:
        """Every notice that waits goes to the city, and its answer back; how many there were."""
        found = self._control("GET", "notices?all=1")
        for each in found:
            status, body, _ = payments.take_notice(
                each["channel"], each["headers"], base64.b64decode(each["body"])
            )
            answer = {"status": status, "body": body.decode()}
            self._control("POST", f"notices/{each['id']}", answer)
        return len(found)

    def right_statement(self, channel: str, kind: str, day: date) -> bytes:
        """What the channel's people send when they are asked about a wrong one."""
        self.keep_time()
        return self._read("GET", f"statement?channel={channel}&kind={kind}&day={day}", None)

    def end_refunds(self) -> None:
        """Refunds that hang are looked after by the channel's people, and come to be done."""
        for each in self._control("GET", "refunds"):
            if each["status"] == "PROCESSING" and not each["due"]:
                body = {"out_refund_no": each["out_refund_no"], "status": "SUCCESS"}
                with contextlib.suppress(urllib.error.HTTPError):
                    self._control("POST", "refunds", body)

    def keep_time(self, now: str | None = "") -> None:
        """Their clock stands where ours does; None lets it go as the wall clock does."""
        moment = clock.local(clock.now()).isoformat() if now == "" else now
        if moment != self._told:
            self._told = moment
            self._send("POST", "clock", {"now": moment})

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        self.keep_time()
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self._read(method, path, body) or b"null")

    def _read(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the loopback address of the card
            f"{self._base}/_sim/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with _OPENER.open(request, timeout=30) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def running(*, seed: int, faults: str) -> Iterator[Channels]:
    """The simulator as its own process, ended by its process id."""
    folder = counterparts.folder("channels")
    folder.mkdir(parents=True, exist_ok=True)
    card = folder / "partner.json"
    card.unlink(missing_ok=True)
    command = counterparts.command("channels", counterparts.free_port(0), seed=seed)
    command += ["--notices", "pull", "--faults", faults]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        made = Channels(_wait_for(card, process))
        yield made
        made.keep_time(None)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def introduce() -> None:
    """Our accounts at the channels, and our keys with them."""
    payments.introduce(Actor.system("simulation"), SITE)


def _wait_for(card: Path, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    deadline = time.monotonic() + READY_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        if card.exists():
            found: dict[str, Any] = json.loads(card.read_text("utf-8"))
            return found
        time.sleep(0.02)
    raise XuekaError(
        "CHANNELS_NOT_READY",
        "支付渠道模拟器没有启动成功。",
        action=f"请查看日志 {card.with_name('log')}。",
    )

"""The simulators of channels, finance office and Jingtong as processes beside a test, and their controls."""

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx

from xueka.contexts.payments import api as payments


class Simulator:
    """What §8 of docs/interfaces/channels.md offers."""

    module: ClassVar = "channels"
    address: ClassVar = "base"
    pull: ClassVar[tuple[str, ...]] = ("--notices", "pull")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = json.loads((folder / "partner.json").read_text("utf-8"))
        self._client = httpx.Client(
            base_url=self.card[self.address],
            headers={"Authorization": f"Bearer {self.card['control_token']}"},
            timeout=30,
            trust_env=False,
        )

    def get(self, path: str) -> Any:
        answer = self._client.get(f"/_sim/{path}")
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, **body: object) -> Any:
        answer = self._client.post(f"/_sim/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def put(self, path: str, **body: object) -> None:
        self._client.put(f"/_sim/{path}", json=body).raise_for_status()

    def dial(self, **rates: object) -> None:
        self.put("dial", **rates)

    def open_page(self, address: str) -> int:
        """What a payer's browser does."""
        return self._client.get(address, follow_redirects=True).status_code

    def pay(self, payment: payments.Payment, **more: object) -> Any:
        return self.post("pay", channel=payment.channel, out_trade_no=payment.out_trade_no, **more)

    def deliver(self) -> list[int]:
        """Fetch every notice that is to be sent and hand it to the city; the statuses it answers with."""
        answers = []
        for each in self.get("notices?all=1"):
            status, body, _ = payments.take_notice(
                each["channel"], each["headers"], base64.b64decode(each["body"])
            )
            self.post(f"notices/{each['id']}", status=status, body=body.decode())
            answers.append(status)
        return answers

    def forget_notices(self) -> None:
        """Those of a test before, whose database is gone."""
        while left := self.get("notices?all=1"):  # duplicates come one after the other
            for each in left:
                self.post(f"notices/{each['id']}", status=200, body="success")

    def close(self) -> None:
        self._client.close()


class Finance(Simulator):
    """What §13 of docs/interfaces/nontax.md offers."""

    module = "finance"
    address = "control"

    def pay_code(self, code: str, **more: object) -> Any:
        return self.post("pay", pay_code=code, **more)

    def deliver(self) -> list[int]:
        answers = []
        for each in self.get("notices?all=1"):
            status, body, _ = payments.take_notice("nontax", {}, base64.b64decode(each["body"]))
            self.post(f"notices/{each['id']}", body=base64.b64encode(body).decode())
            answers.append(status)
        return answers


class Jingtong(Simulator):
    """What §6 of docs/interfaces/jingtong.md offers, and the browser of a citizen."""

    module = "jingtong"
    address = "issuer"
    pull = ()

    def come_back(
        self, address: str, phone: str, *, agree: bool = True, basic: bool = False
    ) -> dict[str, str]:
        """Sign on as this citizen; the parameters with which she comes back to the city."""
        with httpx.Client(base_url=self.card["issuer"], trust_env=False) as browser:
            target = address.removeprefix(self.card["issuer"])
            form = {"phone": phone, "back": target, **({"basic": "1"} if basic else {})}
            answer = browser.post("/come", data=form)
            browser.cookies.update(answer.cookies)
            answer = browser.get(target)
            if answer.status_code == 200:
                answer = browser.post("/agree", data={"asked": target, "act": "yes" if agree else "no"})
        assert answer.status_code == 303, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


class TransitCompany(Simulator):
    """What §10 of docs/interfaces/transit.md offers."""

    module = "exchange"
    pull = ("--code", "transit", "--datasets", "")

    def fare(self, card: str, transit_number: str, until: str | None, **more: object) -> None:
        self.put("fare", card=card, transit_number=transit_number, valid_until=until, **more)


class Exchange(Simulator):
    """A counterpart of the data exchange (docs/interfaces/exchange.md)."""

    module = "exchange"
    pull = ()


_Simulator = TypeVar("_Simulator", bound=Simulator)


@contextlib.contextmanager
def finance_running(folder: Path, seed: int = 1, *more: str) -> Iterator[Finance]:
    with _running(Finance, folder, seed, *more) as simulator:
        yield simulator


@contextlib.contextmanager
def jingtong_running(folder: Path, seed: int = 1, *more: str) -> Iterator[Jingtong]:
    with _running(Jingtong, folder, seed, *more) as simulator:
        yield simulator


@contextlib.contextmanager
def transit_running(folder: Path, seed: int = 1, *more: str) -> Iterator[TransitCompany]:
    with _running(TransitCompany, folder, seed, *more) as simulator:
        yield simulator


@contextlib.contextmanager
def exchange_running(folder: Path, seed: int = 1, *more: str) -> Iterator[Exchange]:
    with _running(Exchange, folder, seed, *more) as simulator:
        yield simulator


@contextlib.contextmanager
def running(folder: Path, seed: int = 1, *more: str) -> Iterator[Simulator]:
    with _running(Simulator, folder, seed, *more) as simulator:
        yield simulator


@contextlib.contextmanager
def _running(kind: type[_Simulator], folder: Path, seed: int, *more: str) -> Iterator[_Simulator]:
    module = f"xueka.sandbox.{kind.module}"
    command = [sys.executable, "-m", module, "--home", str(folder), "--seed", str(seed)]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*command, *kind.pull, *more], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while not (folder / "partner.json").exists():
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        simulator = kind(folder)
        yield simulator
        simulator.close()
    finally:
        process.terminate()
        process.wait(10)

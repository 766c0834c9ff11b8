"""Beijing-Tong beside a small city: the simulator's house in this process, on a port of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cards.conftest import City, city
from xueka.kernel import clock
from xueka.platform.exchange.counterparts import Counterpart, counterpart
from xueka.platform.exchange.sending import Sender
from xueka.platform.identity.actor import Actor
from xueka.sandbox.exchange.__main__ import House, parser

__all__ = ["City", "city"]
CODE = "beijing-tong"
SYSTEM = Actor.system("test")
LIMITS = json.dumps({"per_second": 5000, "retry_base": 0, "breaker_base": 0, "timeout": 5})


@dataclass
class Tong:
    """The simulator: `partner` is what we know of it."""

    house: House
    partner: Counterpart

    def dial(self, **change: Any) -> None:
        self.house.dial.turn(change)

    def records(self) -> dict[str, str]:
        rows = self.house.store.all("select key, text from record")
        return {row["key"]: row["text"] for row in rows}

    def applied(self) -> list[tuple[str, int]]:
        rows = self.house.store.all("select key, seq from applied order by number")
        return [(row["key"], row["seq"]) for row in rows]


@pytest.fixture
def tong(city: City, tmp_path: Path, settings: Any) -> Iterator[Tong]:
    settings.EXCHANGE_PARTNERS = tmp_path
    house = House(parser().parse_args(["--home", str(tmp_path / CODE), "--limits", LIMITS]))
    house.start()
    house.clock.set(clock.now().isoformat())
    yield Tong(house, counterpart(CODE))
    house.stop()


def send(rounds: int = 60) -> None:
    sender = Sender()
    for _ in range(rounds):
        if not sender.turn():
            break
    sender.close()

"""SF and kuaidi100 beside a test: in this process, their clock with ours, pushes when we say so."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import LazySettings

from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers import jobs
from xueka.kernel import clock
from xueka.kernel.clock import SimulatedClock
from xueka.sandbox.common.notices import Letter
from xueka.sandbox.couriers.__main__ import House, parser

SITE = "http://127.0.0.1:9"


class Desk:
    """The couriers' side. `later` moves both clocks."""

    def __init__(self, house: House, time: SimulatedClock | None) -> None:
        self.house, self.time, self._ahead = house, time, timedelta(0)
        self.sync()

    def sync(self) -> None:
        self.house.clock.set(clock.local(clock.now() + self._ahead).isoformat())

    def ahead(self, minutes: float) -> None:
        """The couriers' clock alone goes on."""
        self._ahead += timedelta(minutes=minutes)
        self.sync()

    def later(self, minutes: float) -> None:
        assert self.time is not None
        self.time.advance(timedelta(minutes=minutes))
        self.sync()

    def turn(self, **values: Any) -> None:
        self.house.dial.turn(values)

    def fate(self, waybill: str, fate: str) -> None:
        self.house.parcels.set_fate(waybill, fate)

    def letters(self) -> list[tuple[str, Letter]]:
        """Every push that would go out now: (courier, what)."""
        self.house.tell()
        return [(row["channel"], letter) for row, letter in self.house.notices.take(all=True)]

    def push(self) -> list[str]:
        """Deliver them, and tell the couriers what we answered."""
        self.house.tell()
        said = []
        for row, letter in self.house.notices.take(all=True):
            status, body, *_ = _take(row["channel"], letter)
            self.house.notices.answered(row["id"], status, body)
            said.append(_words(status, body))
        return said

    def parcels(self) -> list[Any]:
        return self.house.store.all("select * from parcel order by waybill")


def deliver(courier: str, letter: Letter) -> str:
    status, body, *_ = _take(courier, letter)
    return _words(status, body)


def _take(courier: str, letter: Letter) -> tuple[int, bytes, str, bool]:
    return couriers.take_push(courier, letter.headers.get("Content-Type", ""), letter.body)


def _words(status: int, body: bytes) -> str:
    said = json.loads(body)
    return f"{status} {said.get('return_code') or said.get('returnCode')}"


def sweep() -> None:
    """What the worker does, once."""
    jobs.sweep()


@contextmanager
def couriers_beside(
    folder: Path, settings: LazySettings, time: SimulatedClock | None, *more: str
) -> Iterator[Desk]:
    house = House(parser().parse_args(["--home", str(folder), "--seed", "7", *more]))
    house.listen()
    settings.COURIER_PARTNER = folder / "partner.json"
    settings.COURIER_SITE = SITE
    (folder / "city").mkdir(exist_ok=True)
    (folder / "city" / "push.json").write_text(json.dumps({"sf": f"{SITE}/api/couriers/sf/push"}))
    try:
        yield Desk(house, time)
    finally:
        house.stop()

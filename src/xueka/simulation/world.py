"""What a simulated city carries along: its clock, its dice, its people, and how its days pass."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from xueka.kernel.clock import SHANGHAI, SimulatedClock
from xueka.simulation.registrar import Registrar

COUNTED = (
    "photos",
    "batches",
    "returned",
    "remade",
    "boxes",
    "lost_boxes",
    "replacements",
    "found_again",
    "transfers",
    "fetched_changes",
    "refused_rows",
    "late_paid",
    "double_paid",
    "called_off",
    "parcels",
    "lost_parcels",
    "back_payments",
    "breaks",
    "closes",
    "remitted_fen",
)
#: What happens to how many in a year.
LOST, DAMAGED, DATA_CHANGE, TRANSFER = 0.04, 0.01, 0.01, 0.02
ACROSS_DISTRICTS = 0.25
BY_INTERFACE = 0.5
LOST_BOXES = 0.002
BAD_ROWS = 0.02


def go_on() -> None:
    pass


@dataclass
class World:
    """One simulated city. All chance comes from `seed`, all time from `clock`.

    `rest`: what is under way with its counterparts ends before work goes on (`neighbours`).
    """

    seed: int
    clock: SimulatedClock
    tell: Callable[[str], None]
    rest: Callable[[], None] = go_on
    registrar: Registrar = field(default_factory=Registrar)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))

    def dice(self, purpose: str) -> Random:
        """Independent dice for each purpose, so that one more throw here moves nothing elsewhere."""
        return Random(int.from_bytes(hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()[:8], "big"))  # noqa: S311

    def happens(self, purpose: str, rate: float) -> bool:
        """Whether a thing of this rate happens here; the order of asking does not matter."""
        return self.dice(purpose).random() < rate

    @contextmanager
    def work(self, minutes: float = 1) -> Iterator[None]:
        """One transaction at somebody's desk; the clock moves on after it."""
        with transaction.atomic():
            yield
        self.clock.advance(timedelta(minutes=minutes))

    def until(self, month: int, day: int, hour: int = 9, *, year: int) -> None:
        """Let time pass to a morning, if it is not past already."""
        moment = datetime(year, month, day, hour, tzinfo=SHANGHAI)
        if moment > self.clock.now():
            self.clock.set(moment)

    def pass_time(self, *, minutes: float) -> None:
        """Nobody works, time goes on."""
        self.clock.advance(timedelta(minutes=minutes))

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] += number

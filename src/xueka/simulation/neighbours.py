"""The counterparts beside money and cards as processes of a simulated year, and how it waits for them.

What they and the city have to say to one another is brought to its end while nobody works: the next work
begins on the same morning, however often a call was lost. So no fault moves the business of a year.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from xueka.contexts.interop import api as interop
from xueka.kernel import clock
from xueka.kernel.clock import SHANGHAI
from xueka.kernel.errors import XuekaError
from xueka.simulation.agreement import SIDES, Exchanging, tell_couriers
from xueka.simulation.beside import running_beside
from xueka.simulation.counterparts import SIMULATORS
from xueka.simulation.registry_side import Registry
from xueka.simulation.sides import Line, Side
from xueka.simulation.world import World

MORNING = time(10)
#: Between two looks: short while something moves, longer where all wait for their time.
SOON, LATER = timedelta(minutes=1), timedelta(hours=1)
_LOOKS = 2_000
#: No answer that is late on the wall clock; and no parcel that comes back, which needs a person at each end.
_DIAL = {"couriers": "delay_ms=2,returned=0"}
_LIMITS = json.dumps({"per_second": 5_000, "retry_base": 0, "breaker_base": 0})


@dataclass(frozen=True, slots=True)
class Neighbours:
    sides: Sequence[Side]

    @property
    def registry(self) -> Registry:
        return next(each for each in self.sides if isinstance(each, Registry))

    def sweep(self) -> None:
        for each in self.sides:
            each.keep_time()
            each.sweep()

    def rest(self, world: World) -> None:
        """Until nothing is under way any more; then it is the morning of the next day."""
        morning = _next_morning()
        self._settle(world)
        while morning < clock.now():
            morning += timedelta(days=1)
        world.clock.set(morning)
        for each in self.sides:
            each.keep_time()
        interop.compare_daily()
        self.sweep()

    def agree(self, world: World) -> list[Line]:
        """Without faults from now on: what waits ends, what was forgotten is told again, and both compare."""
        for each in self.sides:
            each.turn(preset="none")
        for _ in range(2):
            self.rest(world)
        self._settle(world)
        return [each.line() for each in self.sides]

    def _settle(self, world: World) -> None:
        self.sweep()
        step, before = SOON, -1
        for _ in range(_LOOKS):
            waiting = {each.name: each.waiting() for each in self.sides}
            busy = [each for each in self.sides if waiting[each.name]]
            if not busy:
                return
            step = SOON if sum(waiting.values()) != before else min(step * 2, LATER)
            before = sum(waiting.values())
            world.clock.advance(step)
            for each in busy:
                each.keep_time()
                each.sweep()
        raise XuekaError("NEVER_AT_REST", "与对接方的往来始终没有办完。", found=str(waiting))


@contextlib.contextmanager
def running(*, seed: int, faults: str) -> Iterator[Neighbours]:
    """Each as its own process, ended by its process id."""
    tell_couriers(SIMULATORS["couriers"].home)
    with contextlib.ExitStack() as stack:
        sides = []
        for name, side in SIDES.items():
            more = ["--limits", _LIMITS] if side is Exchanging else []
            card = stack.enter_context(
                running_beside(name, *more, "--dial", _DIAL.get(name, "delay_ms=2"), seed=seed, faults=faults)
            )
            made = side(card)
            stack.callback(made.close)
            sides.append(made)
        yield Neighbours(sides)


def _next_morning() -> datetime:
    return datetime.combine(clock.today() + timedelta(days=1), MORNING, SHANGHAI)

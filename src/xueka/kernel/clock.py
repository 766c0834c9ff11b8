"""The only source of the present time; business code never asks the system clock itself.

An override lives in a context variable. It therefore holds for the code inside the `with` block, for what
that code calls, and for asyncio tasks started there; it does not leak to other threads. A thread started
inside the block begins with the real clock: give it the clock explicitly (`with simulated(clock):` in the
thread, or run it through `contextvars.copy_context().run`). Threads that were given the same
`SimulatedClock` share it: an `advance` by one is seen by all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class SimulatedClock:
    """A clock that stands still until it is moved; it never goes back."""

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)
        self._lock = Lock()

    def now(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move on by `step` (not negative) and return the new time."""
        with self._lock:
            return self._move(self._now + step)

    def set(self, moment: datetime) -> datetime:
        """Move on to `moment` (aware, not before the present one) and return it."""
        with self._lock:
            return self._move(_utc(moment))

    def _move(self, moment: datetime) -> datetime:
        if moment < self._now:
            raise ValueError(f"a simulated clock does not go back: {moment} < {self._now}")
        self._now = moment
        return moment


_override: ContextVar[SimulatedClock | None] = ContextVar("xueka_clock", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    clock = _override.get()
    return clock.now() if clock else datetime.now(UTC)


def today() -> date:
    """The present calendar day in Shanghai, whatever zone the machine is set to."""
    return local(now()).date()


def local(moment: datetime) -> datetime:
    """The same moment as a wall clock in Shanghai shows it."""
    return _utc(moment).astimezone(SHANGHAI)


@contextmanager
def simulated(clock: SimulatedClock) -> Iterator[SimulatedClock]:
    """Let `now()` and `today()` follow `clock` inside the block."""
    token = _override.set(clock)
    try:
        yield clock
    finally:
        _override.reset(token)


@contextmanager
def at(moment: datetime) -> Iterator[SimulatedClock]:
    """Let time stand at `moment` (aware) inside the block."""
    with simulated(SimulatedClock(moment)) as clock:
        yield clock


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC)

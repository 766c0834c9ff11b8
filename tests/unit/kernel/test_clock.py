import contextvars
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from xueka.kernel import clock
from xueka.kernel.clock import SimulatedClock, at, simulated

NEW_YEAR_EVE_LATE = datetime(2025, 12, 31, 17, 30, tzinfo=UTC)


def test_the_real_clock_is_aware_and_in_utc():
    before = datetime.now(UTC)
    moment = clock.now()
    assert before <= moment <= datetime.now(UTC)
    assert moment.utcoffset() == timedelta(0)


def test_today_is_the_day_in_shanghai():
    with at(NEW_YEAR_EVE_LATE):
        assert clock.now() == NEW_YEAR_EVE_LATE
        assert clock.today() == date(2026, 1, 1)
        assert clock.local(clock.now()).isoformat() == "2026-01-01T01:30:00+08:00"


def test_overrides_nest_and_end_with_their_block():
    with at(NEW_YEAR_EVE_LATE):
        with at(datetime(2024, 6, 11, tzinfo=clock.SHANGHAI)):
            assert clock.today() == date(2024, 6, 11)
            assert clock.now().tzinfo is UTC
        assert clock.now() == NEW_YEAR_EVE_LATE
    assert clock.now() > NEW_YEAR_EVE_LATE


def test_an_override_ends_when_its_block_fails():
    with pytest.raises(RuntimeError), at(NEW_YEAR_EVE_LATE):
        raise RuntimeError
    assert clock.now() > NEW_YEAR_EVE_LATE


def test_a_simulated_clock_moves_only_when_told_and_never_back():
    with simulated(SimulatedClock(NEW_YEAR_EVE_LATE)) as simulation:
        assert clock.now() == clock.now() == NEW_YEAR_EVE_LATE
        simulation.advance(timedelta(hours=7))
        assert clock.now() == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
        simulation.set(datetime(2026, 2, 1, tzinfo=UTC))
        assert simulation.set(clock.now()) == simulation.advance(timedelta(0)) == clock.now()
        with pytest.raises(ValueError, match="does not go back"):
            simulation.set(NEW_YEAR_EVE_LATE)
        with pytest.raises(ValueError, match="does not go back"):
            simulation.advance(timedelta(seconds=-1))
        assert clock.now() == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        SimulatedClock(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="time zone"):
        clock.local(datetime(2026, 1, 1))


def test_threads_begin_with_the_real_clock_unless_they_are_given_one():
    simulation = SimulatedClock(NEW_YEAR_EVE_LATE)

    def inside() -> datetime:
        with simulated(simulation):
            return simulation.advance(timedelta(minutes=1))

    with ThreadPoolExecutor(4) as pool, simulated(simulation):
        assert pool.submit(clock.now).result() > NEW_YEAR_EVE_LATE + timedelta(days=1)
        assert pool.submit(contextvars.copy_context().run, clock.now).result() == NEW_YEAR_EVE_LATE
        for future in [pool.submit(inside) for _ in range(200)]:
            future.result()
        assert clock.now() == NEW_YEAR_EVE_LATE + timedelta(minutes=200)

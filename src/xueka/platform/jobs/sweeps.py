"""Sweeps: work that the worker repeats every few seconds until nothing is left to do (docs/adr/0060).

The database says what is to be done; the queue only wakes somebody up: one job a second (`beat`), which
claims the sweeps that are due and runs them one after the other. A job for each of them would cost more than
most sweeps. A sweep holds an advisory lock of the database session while it runs. So two workers never sweep
the same thing at once, and the lock of a killed worker is free at the moment its connection is gone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from time import monotonic
from typing import Any

import structlog
from django.db import connection
from django.db.models import F

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.jobs.models import Sweep

log = structlog.get_logger("xueka.jobs")

QUEUE = "sweeps"
_LOCK_SPACE = 0x58554A53  # "XUJS"
_EARLY = 0.5  # seconds: beats do not come to the millisecond
_registered: dict[str, tuple[int, Callable[[], object]]] = {}


def every(seconds: int, name: str) -> Callable[[Callable[[], object]], Callable[[], bool]]:
    """Register a function without arguments as the sweep `name`, run every `seconds` (1 to 59).

    The function is the edge: it opens its own transactions and may be killed at any point. What is returned
    runs it once, if nobody else is at it, and tells whether it did.
    """

    def register(work: Callable[[], object]) -> Callable[[], bool]:
        @wraps(work)
        def sweep() -> bool:
            with alone(name) as mine:
                if mine:
                    _run(name, work)
            return mine

        _registered[name] = (seconds, work)
        return sweep

    return register


def registered() -> Mapping[str, int]:
    """Every sweep with its seconds."""
    return {name: seconds for name, (seconds, _) in _registered.items()}


def beat() -> int:
    """Run what is due, one after the other; returns how many ran. An error of one stops no other.

    Where a long sweep holds the others up, the next beat, in the worker's other thread or elsewhere, claims
    them once their period is over.
    """
    begun, at, done = monotonic(), clock.now(), []
    for name in _claim(at):
        seconds, work = _registered[name]
        late = monotonic() - begun > seconds
        if late and not Sweep.objects.filter(name=name, started_at=at).exists():
            continue
        try:
            with alone(name) as mine:
                if mine:
                    work()
                    done.append(name)
        except Exception as error:
            log.exception("sweep.failed", sweep=name)
            if not connection.is_usable():
                raise
            _failed(name, error)
    _finished(done)
    return len(done)


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether the caller is the only one at work on `name`, anywhere; it stays so until the end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_LOCK_SPACE, name])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine and connection.is_usable():  # a lost connection has given its lock back already
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_LOCK_SPACE, name])


def at_work(names: Sequence[str]) -> set[str]:
    """Those of these names that somebody is `alone` with just now."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [list(names), _LOCK_SPACE])
        return {name for (name,) in cursor.fetchall()}


_HELD = """
    SELECT asked.name FROM unnest(%s::text[]) AS asked(name)
      JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
       AND l.classid = %s AND l.objid = hashtext(asked.name)::oid
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def _run(name: str, work: Callable[[], object]) -> None:
    Sweep.objects.update_or_create(name=name, defaults={"started_at": clock.now()})
    try:
        work()
    except Exception as error:
        if connection.is_usable():
            _failed(name, error)
        raise
    Sweep.objects.filter(name=name).update(finished_at=clock.now(), failures=0, last_error="")


def _failed(name: str, error: Exception) -> None:
    text = error.message if isinstance(error, XuekaError) else type(error).__name__
    Sweep.objects.filter(name=name).update(
        finished_at=clock.now(), failures=F("failures") + 1, last_error=text
    )


def _claim(at: datetime) -> list[str]:
    """The sweeps that are due and that nobody else has claimed just now. The rare ones first: a worker that
    dies in a frequent one again and again would never come to them.
    """
    known = set(Sweep.objects.values_list("name", flat=True))
    if missing := _registered.keys() - known:  # nobody has ever run them
        never = at - timedelta(days=1)
        rows = [Sweep(name=name, started_at=never) for name in missing]
        Sweep.objects.bulk_create(rows, ignore_conflicts=True)
    values: dict[str, Any] = {
        "names": list(_registered),
        "waits": [timedelta(seconds=seconds - _EARLY) for seconds, _ in _registered.values()],
        "now": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DUE, values)
        found = {name for (name,) in cursor.fetchall()}
    return sorted(found & _registered.keys(), key=lambda name: (-_registered[name][0], name))


#: One that began in the future was begun by another clock.
_DUE = """
    UPDATE jobs_sweep s SET started_at = %(now)s
      FROM (SELECT k.name FROM jobs_sweep k
              JOIN unnest(%(names)s::text[], %(waits)s::interval[]) AS due (name, wait) ON due.name = k.name
             WHERE k.started_at <= %(now)s - due.wait OR k.started_at > %(now)s
             ORDER BY k.name FOR UPDATE OF k SKIP LOCKED) AS mine
     WHERE s.name = mine.name RETURNING s.name"""


def _finished(names: Sequence[str]) -> None:
    if names:
        with connection.cursor() as cursor:
            cursor.execute(_ENDED, [list(names), clock.now()])


_ENDED = """
    WITH mine AS (SELECT name FROM jobs_sweep WHERE name = ANY(%s) ORDER BY name FOR UPDATE SKIP LOCKED)
    UPDATE jobs_sweep s SET finished_at = %s, failures = 0, last_error = ''
      FROM mine WHERE s.name = mine.name"""

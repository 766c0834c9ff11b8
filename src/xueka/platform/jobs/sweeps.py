"""Sweeps: work that the worker repeats every few seconds until nothing is left to do (docs/adr/0060).

The database says what is to be done; the queue only wakes somebody up. A sweep holds an advisory lock of the
database session while it runs. So two workers never sweep the same thing at once, and the lock of a killed
worker is free at the moment its connection is gone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps

from django.db import connection
from procrastinate.contrib.django import app

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.jobs.models import Sweep

QUEUE = "sweeps"
_LOCK_SPACE = 0x58554A53  # "XUJS"


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

        @app.periodic(cron=f"* * * * * */{seconds}")
        @app.task(name=name, queue=QUEUE, queueing_lock=name)
        def wake(timestamp: int) -> None:
            sweep()

        return sweep

    return register


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
        text = error.message if isinstance(error, XuekaError) else f"{type(error).__name__}"
        if connection.is_usable():
            known = Sweep.objects.get(name=name)
            Sweep.objects.filter(name=name).update(
                finished_at=clock.now(), failures=known.failures + 1, last_error=text
            )
        raise
    Sweep.objects.filter(name=name).update(finished_at=clock.now(), failures=0, last_error="")

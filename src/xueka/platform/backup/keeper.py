"""The keeper: a process of its own that makes the backups that are due or asked for, drills them and clears
old ones.

It is the edge: transactions are opened here. Killed at any point, the next keeper gives up what was under way
and makes what is due; a backup is not half there (`making`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import structlog
from django.db import DatabaseError, connection

from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.audit import chain
from xueka.platform.backup import configuration, drill, making, retention, services
from xueka.platform.backup.models import Run
from xueka.platform.identity.actor import Actor

log = structlog.get_logger("xueka.backup")

KEEPER = Actor.system("backup")
LOOK_EVERY = 2.0  # seconds
_LOCK = 0x58_55_4B_45_45_50  # advisory lock "XUKEEP": one keeper per database
_TELL_EVERY = 1.0  # seconds between two writes of the progress
RETRY_AFTER = 600.0  # seconds after a scheduled backup that failed


def keep(stopped: Callable[[], bool] = lambda: False) -> None:
    """Work until stopped (or killed). The database may go away and come back."""
    while not stopped():
        try:
            with _alone() as alone:
                if alone:
                    services.give_up_abandoned(KEEPER)
                    drill.clear_left()
                while alone and not stopped():
                    look()
                    time.sleep(LOOK_EVERY)
        except DatabaseError as error:
            log.warning("backup.database_lost", error=type(error).__name__)
            connection.close()
        time.sleep(LOOK_EVERY)


def look() -> Run | None:
    """Do one thing that is due, if there is one."""
    asked = Run.objects.filter(state="asked").order_by("id").first()
    if asked is not None:
        asked.state, asked.started_at = "running", clock.now()
        asked.save(update_fields=["state", "started_at"])
        return (make if asked.kind == "backup" else try_out)(asked)
    hour = configuration.schedule().hour
    if hour is None or not retention.is_due(_last_scheduled(), clock.now(), hour):
        return None
    run = make(services.begin(KEEPER, "backup", scheduled=True))
    if run.state == "done":
        clear_old()
    return run


def make(run: Run) -> Run:
    """A backup for this run; a refusal ends up in its record."""
    with _recorded(run):
        made = making.create(
            configuration.standing_seal(), scheduled=run.scheduled, progress=_progress_of(run)
        )
        run.file_name, run.size = made.path.name, made.size
        run.done = run.total = sum(made.manifest["tables"].values())
        run.detail = {"tables": made.manifest["tables"]}
    return run


def try_out(run: Run) -> Run:
    """A drill for this run: the newest backup, restored into a place of its own and verified."""
    with _recorded(run):
        result = drill.newest()
        run.file_name, run.size, run.detail = result.file_name, result.size, result.as_dict()
        run.done = run.total = sum(result.tables.values())
    return run


def clear_old() -> list[str]:
    """Remove scheduled backups that the retention does not keep; returns their names."""
    mine = [each for each in services.stored() if each.scheduled]
    keep_ = retention.kept((each.made_at for each in mine), configuration.schedule().keep)
    gone = [each for each in mine if each.made_at not in keep_]
    for each in gone:
        each.path.unlink()
        log.info("backup.removed", file=each.path.name)
    return [each.path.name for each in gone]


def _last_scheduled() -> datetime | None:
    made = [each.made_at for each in services.stored() if each.scheduled]
    failed = (
        Run.objects.filter(kind="backup", scheduled=True, state="failed").order_by("-finished_at").first()
    )
    recently = (
        failed and failed.finished_at and (clock.now() - failed.finished_at).total_seconds() < RETRY_AFTER
    )
    return clock.now() if recently else max(made, default=None)


def _progress_of(run: Run) -> making.Progress:
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_EVERY:
            told = time.monotonic()
            # This runs in the thread that listens to pg_dump; without it pg_dump would wait for ever.
            with suppress(DatabaseError):
                Run.objects.filter(id=run.id).update(done=done, total=total)
            connection.close()

    return tell


@contextmanager
def _recorded(run: Run) -> Iterator[None]:
    error = ""
    try:
        yield
    except XuekaError as refusal:
        error = " ".join(filter(None, [refusal.message, str(refusal.found or ""), refusal.action]))
        log.warning("backup.failed", run=run.id, code=refusal.code)
    except DatabaseError:
        raise
    except Exception:
        log.exception("backup.broken", run=run.id)
        error = "系统出错，技术人员可在日志中查到。"
    services.finish(KEEPER, run, error=error)
    chain.seal()


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        if alone and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])

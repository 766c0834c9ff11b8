"""The worker process: runs the sweeps, and stands up again after whatever fell under it."""

import asyncio
import contextlib
import signal

import structlog
from procrastinate import App, exceptions, jobs
from procrastinate.contrib.django import app
from psycopg_pool import PoolTimeout

from xueka.platform.database import server

log = structlog.get_logger("xueka.worker")

HEARTBEAT = 3.0  # seconds
STALLED_AFTER = 12.0  # seconds without a heartbeat: that worker is gone
PATIENCE = 10.0  # seconds for running jobs at the end
PAUSE = 1.0  # seconds before another attempt when the database is gone


def run(concurrency: int = 2) -> None:
    """Work until SIGTERM or SIGINT. The database may go away and come back meanwhile."""
    asyncio.run(_work_until_told(concurrency))


async def _work_until_told(concurrency: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await _work(concurrency, stop)
        except (exceptions.ConnectorException, PoolTimeout) as error:
            log.warning("worker.database_lost", error=str(error.__cause__ or error))
        if not stop.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE)
            await asyncio.to_thread(server.revive)


async def _work(concurrency: int, stop: asyncio.Event) -> None:
    with app.replace_connector(app.connector.get_worker_connector()):  # type: ignore[attr-defined]
        async with app.open_async():
            await revive(app)
            work = asyncio.create_task(
                app.run_worker_async(
                    concurrency=concurrency,
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED_AFTER,
                    shutdown_graceful_timeout=PATIENCE,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            )
            told = asyncio.create_task(stop.wait())
            await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work


async def revive(queue: App) -> int:
    """Give the jobs of workers that are gone back to the queue; returns how many were found.

    A job that already waits there again (its queueing lock) is not needed twice and is taken away.
    """
    found = list(await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER))
    for job in found:
        try:
            await queue.job_manager.retry_job(job)
        except exceptions.UniqueViolation:
            await queue.job_manager.finish_job(job, status=jobs.Status.ABORTED, delete_job=True)
        log.warning("worker.job_revived", task=job.task_name, job=job.id)
    return len(found)

"""The platform's own sweeps."""

from procrastinate.contrib.django import app

from xueka.platform.audit import chain
from xueka.platform.jobs import sweeps
from xueka.platform.jobs.sweeps import QUEUE, every
from xueka.platform.jobs.worker import STALLED_AFTER, revive


@app.periodic(cron="* * * * * */5")
@app.task(name="jobs.revive", queue=QUEUE, queueing_lock="jobs.revive")
async def revive_stalled(timestamp: int) -> None:
    """Take the jobs of dead workers back; only the worker's own connector can ask for them."""
    await app.job_manager.prune_stalled_workers(STALLED_AFTER)
    await revive(app)


@app.periodic(cron="* * * * * *")
@app.task(name="jobs.beat", queue=QUEUE, queueing_lock="jobs.beat")
def beat(timestamp: int) -> None:
    """Wakes the sweeps."""
    sweeps.beat()


@every(5, "audit.seal")
def seal_audit() -> None:
    """The single sealer: the advisory lock of the sweep makes it one."""
    chain.seal()

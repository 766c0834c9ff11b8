"""The nightly look for what waits too long or contradicts itself. It opens its transaction itself."""

from datetime import timedelta

from django.db import transaction

from xueka.contexts.repairs.services.detecting import detect
from xueka.kernel import clock
from xueka.platform.audit import queries as audit
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")
NIGHT = range(1, 5)


@every(59, "repairs.detect")
def detect_at_night() -> None:
    """Once a night; on a page or by command at any time."""
    now = clock.now()
    if clock.local(now).hour not in NIGHT:
        return
    looked = audit.entries(WORKER.scope, action="repair.detect", limit=1)  # findings there may be none
    if not looked or now - looked[0].at > timedelta(hours=12):
        with transaction.atomic():
            detect(WORKER)

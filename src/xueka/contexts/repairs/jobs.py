"""The nightly look for what waits too long or contradicts itself. It opens its transaction itself."""

from datetime import timedelta

from django.db import transaction

from xueka.contexts.repairs.models import Finding
from xueka.contexts.repairs.services.detecting import detect
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")
NIGHT = range(1, 5)


@every(59, "repairs.detect")
def detect_at_night() -> None:
    """Once a night; on a page or by command at any time."""
    now = clock.now()
    seen = Finding.objects.order_by("-last_seen").values_list("last_seen", flat=True).first()
    if clock.local(now).hour in NIGHT and (seen is None or now - seen > timedelta(hours=12)):
        with transaction.atomic():
            detect(WORKER)

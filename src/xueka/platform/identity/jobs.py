"""What time does to access: grants that have ended are closed, sessions that are over are cleared."""

from django.conf import settings
from django.db import transaction

from xueka.platform.identity import registered
from xueka.platform.identity.services import close_ended_grants
from xueka.platform.jobs.sweeps import every


@every(30, "identity.tidy")
def tidy() -> None:
    with transaction.atomic():
        close_ended_grants()
    with transaction.atomic():
        registered.sweep(settings.SESSION_IDLE_AGE, settings.SESSION_ABSOLUTE_AGE)

"""The sweep of the counters: a print job that is not heard of becomes a question to a person."""

from django.db import transaction

from xueka.contexts.printing.services.jobs import lose_silent
from xueka.platform.jobs.sweeps import every


@every(20, "printing.silent")
def lose_silent_jobs() -> None:
    with transaction.atomic():
        lose_silent()

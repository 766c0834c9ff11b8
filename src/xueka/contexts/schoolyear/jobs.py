"""The sweeps of the school year: every job's next steps, a slice of time each, and cards whose day came."""

import time

from django.db import transaction

from xueka.contexts.schoolyear.models import Job
from xueka.contexts.schoolyear.services import card_ends, steps
from xueka.platform.jobs.sweeps import every

SLICE = 2.0
"""Seconds after which the worker is left to the other sweeps; the next round goes on."""


@every(1, "schoolyear.advance")
def advance_jobs() -> None:
    work(SLICE)


@every(30, "schoolyear.card_ends")
def end_cards() -> None:
    began = time.monotonic()
    while time.monotonic() < began + SLICE:
        with transaction.atomic():
            if not card_ends.end_due_cards(steps.WORKER):
                return


def work(seconds: float) -> bool:
    """Advance the open jobs, oldest first, for about so long; tells whether anything was left to do."""
    began = time.monotonic()
    waiting = Job.objects.filter(state__in=steps.WORKED).order_by("id").values_list("id", flat=True)
    for job_id in list(waiting):
        while steps.advance(job_id):
            if time.monotonic() > began + seconds:
                return True
    return False

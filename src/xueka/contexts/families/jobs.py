"""The sweep of the parents' door: requests for codes that are no longer counted, sessions that are over."""

from django.db import transaction

from xueka.contexts.families.services.sessions import end_expired
from xueka.contexts.families.services.signing_in import forget_requests
from xueka.platform.jobs.sweeps import every


@every(59, "families.tidy")
def tidy() -> None:
    with transaction.atomic():
        forget_requests()
        end_expired()

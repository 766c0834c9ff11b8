"""The sweep of the parents' door: requests for codes that are no longer counted, sessions that are over."""

from django.db import transaction

from xueka.contexts.families.services.sessions import end_expired
from xueka.contexts.families.services.signing_in import forget_requests
from xueka.contexts.families.services.signing_on import introduce_demo
from xueka.platform.database import home
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every


@every(59, "families.tidy")
def tidy() -> None:
    with transaction.atomic():
        forget_requests()
        end_expired()


@every(7, "families.introduce")
def meet_simulator() -> None:
    """In a demo Jingtong listens on another port after each start, and so may we."""
    address = home.serving_at()
    if address:
        introduce_demo(Actor.system("families"), address)

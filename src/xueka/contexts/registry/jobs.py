"""The sweeps of the registry: what the student registry has to say is fetched, what is over is forgotten."""

import time

from django.db import transaction

from xueka.contexts.registry.oneroster import fetching
from xueka.contexts.registry.oneroster.registry_client import partner
from xueka.contexts.registry.oneroster.reverting import forget_befores
from xueka.platform.jobs.sweeps import every

AT_ONCE = 20
"""Seconds of reading in one sweep: others want the worker, too."""


@every(59, "registry.forget_befores")
def forget() -> None:
    with transaction.atomic():
        forget_befores()
        fetching.forget_pages()


@every(59, "registry.oneroster_nightly")
def ask_nightly() -> None:
    """Once each night, from the hour of XUEKA_ONEROSTER_HOUR."""
    full = fetching.due_tonight() if partner() else None
    if full is not None:
        with transaction.atomic():
            fetching.ask(fetching.WORKER, full=full)


@every(5, "registry.oneroster")
def fetch() -> None:
    end = time.monotonic() + AT_ONCE
    for fetch_id in fetching.due_fetches():
        fetching.advance(fetch_id, until=lambda: time.monotonic() > end)

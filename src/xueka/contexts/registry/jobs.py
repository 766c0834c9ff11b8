"""The sweep of the registry: what may not be taken back any more is forgotten."""

from django.db import transaction

from xueka.contexts.registry.oneroster.reverting import forget_befores
from xueka.platform.jobs.sweeps import every


@every(3600, "registry.forget_befores")
def forget() -> None:
    with transaction.atomic():
        forget_befores()

"""The sweeps of the interfaces: card status out, the daily comparison, the measures. Each opens its
transactions.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from xueka.contexts.interop.adapters.records import DATASETS
from xueka.contexts.interop.models import Comparison
from xueka.contexts.interop.services import comparing, following, measuring, sampling
from xueka.kernel import clock
from xueka.platform.exchange.counterparts import counterparts
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

WORKER = Actor.system("worker")
AGAIN = timedelta(minutes=30)  # after a comparison that had no answer


@every(3, "interop.follow")
def follow_cards() -> None:
    following.follow_all()


@every(59, "interop.compare")
def compare_daily() -> None:
    """Once a day from the hour of `XUEKA_INTEROP_HOUR`; again later where the counterpart did not answer."""
    now = clock.local(clock.now())
    due = now.replace(hour=settings.INTEROP_HOUR, minute=0, second=0, microsecond=0)
    if now < due:
        return
    for partner in counterparts():
        for dataset in partner.datasets:
            done = Comparison.objects.filter(counterpart=partner.code, dataset=dataset, finished_at__gte=due)
            tried = done.exclude(problem="").filter(finished_at__gt=now - AGAIN)
            if dataset in DATASETS and not done.filter(problem="").exists() and not tried.exists():
                comparing.reconcile(WORKER, partner, dataset)


@every(57, "interop.measure")
def measure_quality() -> None:
    with transaction.atomic():
        measuring.measure_all()


@every(53, "interop.sample")
def sample_interfaces() -> None:
    with transaction.atomic():
        sampling.sample_all()

"""The sweeps of the interfaces: card status out, the daily comparison, the measures. Each opens its
transactions.
"""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction

from xueka.contexts.interop.adapters.records import DATASETS
from xueka.contexts.interop.domain.transitions import OPEN
from xueka.contexts.interop.models import Comparison, Difference
from xueka.contexts.interop.services import comparing, correcting, deciding, following, measuring, sampling
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.exchange.counterparts import Counterpart, counterparts
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.interop")

WORKER = Actor.system("worker")
AGAIN = timedelta(minutes=30)  # after a comparison that had no answer


@every(3, "interop.follow")
def follow_cards() -> None:
    following.follow_all()


@every(7, "interop.correct")
def settle_corrected() -> None:
    """The exchanges of corrections that people have approved."""
    correcting.settle_corrections()


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
                _compare(partner, dataset)


def _compare(partner: Counterpart, dataset: str) -> None:
    """One that cannot be compared with must not keep the others from it."""
    try:
        comparing.reconcile(WORKER, partner, dataset)
        tell_again(partner.code, dataset)
    except Exception:
        log.exception("interop.compare_broken", counterpart=partner.code, dataset=dataset)


def tell_again(code: str, dataset: str) -> int:
    """What they lack, or have otherwise, of what is ours to say: told once more without a person, if it is
    little (`XUEKA_INTEROP_TELL_AGAIN`). What is found a second time, or is much, waits for somebody.
    """
    if dataset in settings.INTEROP_TAKERS:
        return 0
    rows = Difference.objects.filter(counterpart=code, dataset=dataset, state=OPEN, times=1)
    try:
        with transaction.atomic():
            fresh = sorted(deciding.sendable(list(rows.defer("envelope"))))
            if not 0 < len(fresh) <= settings.INTEROP_TELL_AGAIN:
                return 0
            return deciding.send_again(WORKER, fresh)
    except Refused:  # one of them is not ours any more: somebody looks
        return 0


@every(57, "interop.measure")
def measure_quality() -> None:
    with transaction.atomic():
        measuring.measure_all()


@every(53, "interop.sample")
def sample_interfaces() -> None:
    with transaction.atomic():
        sampling.sample_all()

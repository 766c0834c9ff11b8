"""The sweeps of the interfaces: card status out, the daily comparison, the measures. Each opens its
transactions.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from xueka.contexts.interop.adapters.records import DATASETS
from xueka.contexts.interop.domain.buckets import MISSING_THERE
from xueka.contexts.interop.domain.transitions import DIFFERENCE, OPEN, SENT
from xueka.contexts.interop.models import AskedComparison, Comparison, Difference
from xueka.contexts.interop.services import (
    comparing,
    comparing_schools,
    correcting,
    deciding,
    following,
    quality,
    sampling,
)
from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.exchange.counterparts import Counterpart, counterpart, counterparts
from xueka.platform.exchange.under_way import held_keys, told_keys
from xueka.platform.history.queries import stepped
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.interop")

WORKER = Actor.system("worker")
AGAIN = timedelta(minutes=30)  # after a comparison that had no answer
SOON = timedelta(minutes=10)  # after one that has told something itself
PIECE = 1_000
AT_ONCE = 20  # seconds of comparing schools in one sweep: others want the worker, too


@every(3, "interop.follow")
def follow_cards() -> None:
    following.follow_all()


@every(7, "interop.correct")
def settle_corrected() -> None:
    """The exchanges of corrections that people have approved."""
    correcting.settle_corrections()


@every(59, "interop.compare")
def compare_daily() -> None:
    """Once a day from the hour of `XUEKA_INTEROP_HOUR`; again later where the counterpart did not answer, or
    was told what it lacked.
    """
    now = clock.local(clock.now())
    due = now.replace(hour=settings.INTEROP_HOUR, minute=0, second=0, microsecond=0)
    if now < due:
        return
    for partner in counterparts():
        for dataset in partner.datasets:
            if dataset in DATASETS and _due(partner.code, dataset, due, now):
                _compare(partner, dataset)


@every(5, "interop.compare_schools")
def compare_schools() -> None:
    """With the student registry, after each fetch that was brought in."""
    end = time.monotonic() + AT_ONCE
    comparing_schools.advance(lambda: time.monotonic() > end)


@every(3, "interop.compare_asked")
def compare_asked() -> None:
    """What people want compared now. One that was killed on the way is made again."""
    for wish in AskedComparison.objects.filter(ended_at=None).order_by("id"):
        made, problem = None, ""
        try:
            partner = counterpart(wish.counterpart)
            made = comparing.reconcile(WORKER, partner, wish.dataset)
            tell_again(partner.code, wish.dataset)
        except XuekaError as error:
            if error.code == "COMPARISON_RUNS":
                continue  # the daily one was quicker; after it
            problem = error.message
        except Exception:
            log.exception("interop.compare_broken", counterpart=wish.counterpart, dataset=wish.dataset)
            problem = "核对没有做成，原因在系统日志里。"
        AskedComparison.objects.filter(id=wish.id).update(
            ended_at=clock.now(), comparison=made, problem=problem[:200]
        )


def _due(code: str, dataset: str, since: datetime, now: datetime) -> bool:
    last = Comparison.objects.filter(counterpart=code, dataset=dataset, finished_at__gte=since)
    done = last.order_by("finished_at").last()
    if done is None:
        return True
    if done.problem:
        return done.finished_at <= now - AGAIN
    if done.finished_at > now - SOON:
        return False
    told = Difference.objects.filter(counterpart=code, dataset=dataset, state=SENT, owner="")
    stuck = [key.partition(":")[2] for key in held_keys(code)]  # until a person has looked at them
    return told.exclude(key__in=stuck).exists()


def _compare(partner: Counterpart, dataset: str) -> None:
    """One that cannot be compared with must not keep the others from it."""
    try:
        comparing.reconcile(WORKER, partner, dataset)
        tell_again(partner.code, dataset)
    except Exception:
        log.exception("interop.compare_broken", counterpart=partner.code, dataset=dataset)


def tell_again(code: str, dataset: str) -> int:
    """What they lack, or have otherwise, of what is ours to say: told without a person.

    Of which they have never been told (they came later), however much it is. The rest once more, if it is
    little (`XUEKA_INTEROP_TELL_AGAIN`); what differs after that, or is much, waits for somebody. Killed
    before this, the next comparison does it.
    """
    if dataset in settings.INTEROP_TAKERS or not deciding.may_send(dataset):
        return 0
    standing = Difference.objects.filter(counterpart=code, dataset=dataset, state=OPEN)
    lacking = list(standing.filter(kind=MISSING_THERE).order_by("id").values_list("id", "key"))
    fresh: list[int] = []
    for start in range(0, len(lacking), PIECE):
        names = {id: f"card:{key.partition('/')[0]}" for id, key in lacking[start : start + PIECE]}
        told = told_keys(code, sorted(names.values()))
        fresh += [id for id, name in names.items() if name not in told]
    done = sum(_send(fresh[start : start + PIECE]) for start in range(0, len(fresh), PIECE))
    ids = set(standing.filter(owner="").values_list("id", flat=True))
    return done + _send(sorted(ids - stepped(DIFFERENCE.name, ids)), settings.INTEROP_TELL_AGAIN)


def _send(ids: Sequence[int], most: int = PIECE) -> int:
    try:
        with transaction.atomic():
            rows = Difference.objects.filter(id__in=ids).defer("envelope")
            ours = sorted(deciding.sendable(list(rows)))
            return deciding.send_again(WORKER, ours) if 0 < len(ours) <= most else 0
    except Refused:  # one of them is not ours any more: somebody looks
        return 0


@every(57, "interop.measure")
def measure_quality() -> None:
    with transaction.atomic():
        quality.measure_all()


@every(53, "interop.sample")
def sample_interfaces() -> None:
    with transaction.atomic():
        sampling.sample_all()

"""The sweep of the take-over: load what is approved, take back what is agreed, settle what is over.

Killed anywhere, the next run goes on: the staged rows say what is done. It opens the transactions.
"""

import structlog
from django.db import transaction
from django.db.models import Q

from xueka.contexts.takeover.domain.transitions import APPROVED, LOADED, TAKING_BACK
from xueka.contexts.takeover.models import TakeOver
from xueka.contexts.takeover.services import loading, taking_back
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.takeover")

WORKER = Actor.system("worker")


@every(5, "takeover.work")
def work() -> None:
    """Everything that waits, set by set. One that cannot go on says why on its page and stops no other."""
    due = Q(state__in=[APPROVED, TAKING_BACK]) | Q(state=LOADED, back_until__lt=clock.now())
    for take_over_id in TakeOver.objects.filter(due).order_by("id").values_list("id", flat=True):
        try:
            run(take_over_id)
        except XuekaError as error:
            log.warning("takeover.stopped", take_over=take_over_id, code=error.code)
            TakeOver.objects.filter(id=take_over_id).update(load_error=error.message)
        except Exception:  # our own mistake must not keep the sets behind this one waiting
            log.exception("takeover.broken", take_over=take_over_id)
            said = "载入时系统出错，技术人员可在日志中查到；已载入的部分不受影响。"
            TakeOver.objects.filter(id=take_over_id).update(load_error=said)


def run(take_over_id: int, size: int = loading.CHUNK) -> int:
    """Bring one set to the end of what was decided about it; answers how many rows were dealt with."""
    done = 0
    for step in (loading.load_chunk, taking_back.take_back_chunk):
        while True:
            with transaction.atomic():
                count = step(WORKER, take_over_id, size)
            done += count
            if not count:
                break
    with transaction.atomic():
        taking_back.settle(WORKER, take_over_id)
    return done

"""The sweep of 退付: what goes back from the treasury is registered, asked for, and followed to its end."""

import structlog
from django.db import transaction

from xueka.contexts.closing import calling
from xueka.contexts.closing.services import paying_back
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.closing")


@every(7, "closing.back_payments")
def back_payments() -> None:
    """One that cannot be asked for must not keep those behind it waiting."""
    with transaction.atomic():
        paying_back.register_back_payments()
    for refund_id in paying_back.due():
        try:
            calling.follow(refund_id)
        except Exception:
            log.exception("closing.sweep_broken", refund=refund_id)


def sweep() -> None:
    """One round, for whoever runs without a worker."""
    back_payments()

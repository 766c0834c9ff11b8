"""The sweeps of replacements: what the money and the cards have done, promises, what nobody went on with."""

import structlog
from django.db import transaction

from xueka.contexts.replacements.services import following
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.replacements")


@every(2, "replacements.follow")
def follow() -> None:
    """One transaction each; one that cannot be moved keeps nobody else waiting."""
    for replacement_id in following.due():
        try:
            with transaction.atomic():
                following.follow(replacement_id)
        except Exception:
            log.exception("replacements.follow_broken", replacement=replacement_id)


@every(59, "replacements.tidy")
def tidy() -> None:
    with transaction.atomic():
        following.settle_promises()
        following.forget_addresses()
    for replacement_id in following.old_ones():
        with transaction.atomic():
            following.lapse(replacement_id)

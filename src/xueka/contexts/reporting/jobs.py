"""The sweeps: figures of days that are over, how every school stands now, files of exports and their end."""

from datetime import timedelta

import structlog
from django.db import transaction

from xueka.contexts.reporting.domain.transitions import APPROVED
from xueka.contexts.reporting.models import Export, Standing
from xueka.contexts.reporting.services import counting, exporting
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.reporting")

WORKER = Actor.system("worker")
STANDING_EVERY = timedelta(minutes=10)


@every(30, "reporting.record")
def record() -> None:
    """Record the days that are over and not yet counted; count the standing when it is old."""
    if days := counting.due():
        counting.record_days(*days)
    last = Standing.objects.filter(day=clock.today()).order_by("-counted_at").first()
    if last is None or clock.now() - last.counted_at >= STANDING_EVERY:
        counting.record_standing()


@every(3, "reporting.exports")
def exports() -> None:
    """Make the file of every approved export; take away those whose time is over."""
    for export_id in Export.objects.filter(state=APPROVED).order_by("id").values_list("id", flat=True):
        try:
            with transaction.atomic():
                exporting.make_export(WORKER, export_id)
        except Exception:  # one that cannot be made keeps nobody else waiting
            log.exception("reporting.export_broken", export=export_id)
            with transaction.atomic():
                exporting.fail_export(WORKER, export_id, "生成时系统出错，技术人员可在日志中查到。")
    with transaction.atomic():
        exporting.end_overdue(WORKER)

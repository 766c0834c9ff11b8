"""The sweep that keeps the figures: days that are over, and how every school stands now."""

from datetime import timedelta

from xueka.contexts.reporting.models import Standing
from xueka.contexts.reporting.services import counting
from xueka.kernel import clock
from xueka.platform.jobs.sweeps import every

STANDING_EVERY = timedelta(minutes=10)


@every(30, "reporting.record")
def record() -> None:
    """Record the days that are over and not yet counted; count the standing when it is old."""
    if days := counting.due():
        counting.record_days(*days)
    last = Standing.objects.filter(day=clock.today()).order_by("-counted_at").first()
    if last is None or clock.now() - last.counted_at >= STANDING_EVERY:
        counting.record_standing()

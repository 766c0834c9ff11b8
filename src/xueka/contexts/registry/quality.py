"""How good what the student registry gives is, and how well we hold it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Sum

from xueka.contexts.registry.fetched import OneRosterFetch
from xueka.contexts.registry.models import Absence, ImportRun
from xueka.kernel import clock
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source

IN_TIME = timedelta(hours=4)  # from the hour of the night to the end of the fetch


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    runs = ImportRun.objects.filter(kind="oneroster", dry_run=False, at__gte=first, at__lt=last)
    came = runs.aggregate(rows=Sum("rows"), rejected=Sum("rejected"))
    rows, rejected = came["rows"] or 0, came["rejected"] or 0
    shares: dict[str, Share] = {VALID: (rows - rejected, rows), TIMELY: _in_time(first, last)}
    whole = runs.filter(fetches__full=True).defer("report").order_by("-id").first()
    if whole is not None:
        missing = Absence.objects.filter(state="missing", run_id__lte=whole.id).count()
        shares[COMPLETE] = (whole.rows - whole.rejected, whole.rows + missing)
        shares[ACCURATE] = (whole.unchanged, whole.updated + whole.unchanged)
    return {"oneroster": shares}


def _in_time(first: datetime, last: datetime) -> Share:
    """One fetch is due each night where the registry handed over its file, from the first of all on."""
    if settings.ONEROSTER_HOUR == "off" or not settings.ONEROSTER_PARTNER.exists():
        return 0, 0
    due = first + timedelta(hours=int(settings.ONEROSTER_HOUR))
    began = OneRosterFetch.objects.order_by("id").values_list("started_at", flat=True).first()
    if began and began >= due + IN_TIME:
        return 0, 0
    done = OneRosterFetch.objects.filter(
        started_at__gte=due, ended_at__lte=min(due + IN_TIME, last), run__isnull=False
    ).exists()
    return int(done), int(done or clock.now() > due + IN_TIME)


QUALITY = Source(
    {
        "oneroster": {
            COMPLETE: Meaning("全量获取办完时，两边都有的学生 ÷ 任一边有的（含没有收下的和学籍里缺失的）"),
            VALID: Meaning("当天收下的记录 ÷ 学籍系统给的记录"),
            ACCURATE: Meaning("全量获取办理之前，与学籍一致的学生 ÷ 两边都有的学生"),
            TIMELY: Meaning("每晚一次的获取：从钟点（XUEKA_ONEROSTER_HOUR）起 4 小时内办完的 ÷ 应办的"),
        }
    },
    _measured,
)

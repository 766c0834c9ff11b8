"""How good what the payment channels give us is: statements, notices, and whether both sides agree."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db.models import Count, Q

from xueka.contexts.payments import api as payments
from xueka.contexts.treasury.domain.transitions import GONE
from xueka.contexts.treasury.models import STATEMENT_KINDS, BreakRow, Fetch, Run, Statement
from xueka.contexts.treasury.services.fetching import ready
from xueka.kernel import clock
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source
from xueka.platform.identity.scope import EVERYWHERE

HERE_WITHIN = timedelta(hours=4)  # after the channel has it


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    """Statements and breaks of the day before: it is that day which becomes known in this one."""
    now = clock.now()
    day = clock.local(first).date() - timedelta(days=1)
    found: dict[str, dict[str, Share]] = {}
    for channel in payments.CHANNELS:
        due = ready(channel, day)
        asked = Fetch.objects.filter(channel=channel, kind__in=STATEMENT_KINDS, day=day).aggregate(
            many=Count("id"),
            here=Count("id", filter=Q(done_at__isnull=False)),
            in_time=Count("id", filter=Q(done_at__lte=due + HERE_WITHIN)),
        )
        notices = payments.Notice.objects.filter(
            channel=channel, received_at__gte=first, received_at__lt=last
        ).exclude(outcome="")
        judged = notices.aggregate(many=Count("id"), refused=Count("id", filter=Q(outcome="refused")))
        late = now > due + HERE_WITHIN
        found[f"pay-{channel}"] = {
            COMPLETE: (asked["here"], asked["many"]) if now > due else (0, 0),
            TIMELY: (asked["in_time"], asked["many"] if late else asked["here"]),
            VALID: (judged["many"] - judged["refused"], judged["many"]),
            ACCURATE: _agreeing(channel, day, first),
        }
    return found


def _agreeing(channel: str, day: date, first: datetime) -> Share:
    """Payments of either side without a break, once the day was reconciled."""
    if not Run.objects.filter(first__lte=day, last__gte=day).exists():
        return 0, 0
    usable = Statement.objects.filter(channel=channel, kind="trade", day=day, usable=True)
    theirs = usable.order_by("-id").values_list("rows", flat=True).first() or 0
    paid = payments.payment_rows(EVERYWHERE).filter(channel=channel)
    ours = paid.filter(success_at__gte=first - timedelta(days=1), success_at__lt=first).count()
    breaks = BreakRow.objects.filter(channel=channel, day=day).exclude(state=GONE)
    wrong = breaks.values("key").distinct().count()
    either = max(theirs, ours, wrong)
    return either - wrong, either


QUALITY = Source(
    {
        "pay-": {
            COMPLETE: Meaning("前一天的账单里，已经取到而且可用的 ÷ 应有的"),
            VALID: Meaning("当天的支付通知里，验证通过的 ÷ 判过的"),
            ACCURATE: Meaning("前一天的收款和账单明细里，对账没有差错的 ÷ 全部（对过账的日子）"),
            TIMELY: Meaning("前一天的账单里，出账后 4 小时内取到的 ÷ 应有的"),
        }
    },
    _measured,
)

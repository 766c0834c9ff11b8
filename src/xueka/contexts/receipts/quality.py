"""How good the issuing of e-receipts at the finance office is."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Count, F, Q

from xueka.contexts.receipts.models import Receipt
from xueka.contexts.receipts.services.stock import EMPTY
from xueka.kernel import clock
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source, without

ISSUED_WITHIN = timedelta(minutes=15)


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    now = clock.now()
    issued = Receipt.objects.filter(issued_at__gte=first, issued_at__lt=last).aggregate(
        many=Count("id"),
        kept=Count("id", filter=Q(signed_at__isnull=False)),
        ripe=Count("id", filter=Q(signed_at__isnull=False) | Q(issued_at__lt=now - ISSUED_WITHIN)),
        in_time=Count("id", filter=Q(issued_at__lte=F("created_at") + ISSUED_WITHIN)),
    )
    shares = {COMPLETE: (issued["kept"], issued["ripe"])}
    late = refused = 0
    if last > now:  # what waits is counted as it stands
        waiting = Receipt.objects.filter(next_try_at__isnull=False, issued_at=None)
        late = waiting.filter(created_at__lt=now - ISSUED_WITHIN).count()
        refused = waiting.exclude(refused__in=["", EMPTY]).count()
    shares[VALID] = (issued["many"], issued["many"] + refused)
    shares[TIMELY] = (issued["in_time"], issued["many"] + late)
    return {"receipts": shares}


QUALITY = Source(
    {
        "receipts": {
            COMPLETE: Meaning("当天开具的票据里，取回签名文件的 ÷ 取回的和开具满 15 分钟的"),
            VALID: Meaning("当天开具的 ÷ 开具的和财政拒收的"),
            ACCURATE: without("财政照本系统的数据开具，签名或内容不符的不收；逐张核对在每周结算里"),
            TIMELY: Meaning("缴费后 15 分钟内开具的 ÷ 当天开具的和等了 15 分钟的"),
        }
    },
    _measured,
)

"""How good what we send as text messages is: receipts, refusals, phones reached, promises kept."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Count, F, Q

from xueka.kernel import clock
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source
from xueka.platform.messages.models import DELIVERED, FAILED, QUEUED, SENT, Message
from xueka.platform.messages.sending import UNTOLD

REPORTED_WITHIN = timedelta(minutes=10)  # after it was handed over


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    now = clock.now()
    handed = Q(sent_at__isnull=False)
    told = Q(state=DELIVERED) | Q(state=FAILED) & handed & ~Q(problem=UNTOLD)
    refused = Q(state=FAILED, sent_at=None, ended_at__lt=F("expires_at"))
    out_of_time = Q(state__in=[QUEUED, SENT], expires_at__lt=now) | Q(
        state=FAILED, sent_at=None, ended_at__gte=F("expires_at")
    )
    unreported = Q(state=SENT, sent_at__lt=now - REPORTED_WITHIN)
    in_time = Q(state=DELIVERED, ended_at__lte=F("sent_at") + REPORTED_WITHIN, sent_at__lte=F("expires_at"))
    found = Message.objects.filter(created_at__gte=first, created_at__lt=last).aggregate(
        told=Count("id", filter=told),
        due=Count("id", filter=told | unreported | Q(state=FAILED, problem=UNTOLD)),
        taken=Count("id", filter=handed),
        judged=Count("id", filter=handed | refused),
        arrived=Count("id", filter=Q(state=DELIVERED)),
        in_time=Count("id", filter=in_time),
        ripe=Count("id", filter=Q(state=DELIVERED) | out_of_time | unreported),
    )
    shares = {
        COMPLETE: (found["told"], found["due"]),
        VALID: (found["taken"], found["judged"]),
        ACCURATE: (found["arrived"], found["told"]),
        TIMELY: (found["in_time"], found["ripe"]),
    }
    return {"sms": shares}


QUALITY = Source(
    {
        "sms": {
            COMPLETE: Meaning("当天的短信里，有送达回执的 ÷ 交给网关满 10 分钟或已有回执的"),
            VALID: Meaning("网关收下的 ÷ 网关收下和拒收的"),
            ACCURATE: Meaning("到了手机上的 ÷ 有送达回执的"),
            TIMELY: Meaning("有效时间内交出、10 分钟内送达的 ÷ 已送达、已过期和满 10 分钟没有回执的"),
        }
    },
    _measured,
)

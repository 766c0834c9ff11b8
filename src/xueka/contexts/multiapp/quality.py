"""How good the calls of the partners are, and our answers."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Count, Q

from xueka.contexts.multiapp.models import ApiCall
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source, without


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    calls = ApiCall.objects.filter(at__gte=first, at__lt=last).order_by().values("credential__unit__code")
    rows = calls.annotate(many=Count("id"), good=Count("id", filter=Q(status__lt=400)))
    return {f"unit-{row['credential__unit__code']}": {VALID: (row["good"], row["many"])} for row in rows}


QUALITY = Source(
    {
        "unit-": {
            COMPLETE: without("对方来查，查多少由对方定，没有两边都存的记录"),
            VALID: Meaning("当天的调用里，办成的 ÷ 全部（拒绝的和出错的都不算办成）"),
            ACCURATE: without("每次都按当时的卡状态回答，没有可以比对的第二份"),
            TIMELY: without("当场回答，没有等待的消息"),
        }
    },
    _measured,
)

"""How good what we send by mail is: answers of the server, refusals, mail that came back, promises kept."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Count, F, Q

from xueka.kernel import clock
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source
from xueka.platform.mail.models import FAILED, QUEUED, Mail

TAKEN_WITHIN = timedelta(minutes=15)


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    taken = Q(sent_at__isnull=False)
    refused = Q(state=FAILED, sent_at=None, ended_at__lt=F("expires_at"))
    given_up = Q(state=FAILED, sent_at=None, ended_at__gte=F("expires_at"))
    late = Q(state=QUEUED, created_at__lt=clock.now() - TAKEN_WITHIN)
    found = Mail.objects.filter(created_at__gte=first, created_at__lt=last).aggregate(
        taken=Count("id", filter=taken),
        answered=Count("id", filter=taken | refused),
        due=Count("id", filter=taken | refused | given_up | late),
        back=Count("id", filter=taken & Q(state=FAILED)),
        in_time=Count("id", filter=Q(sent_at__lte=F("created_at") + TAKEN_WITHIN)),
        ripe=Count("id", filter=taken | given_up | late),
    )
    shares = {
        COMPLETE: (found["answered"], found["due"]),
        VALID: (found["taken"], found["answered"]),
        ACCURATE: (found["taken"] - found["back"], found["taken"]),
        TIMELY: (found["in_time"], found["ripe"]),
    }
    return {"mail": shares}


QUALITY = Source(
    {
        "mail": {
            COMPLETE: Meaning(
                "当天的邮件里，邮件服务器有答复的 ÷ 有答复的、过期和等了 15 分钟的；邮件没有通用的送达回执"
            ),
            VALID: Meaning("邮件服务器收下的 ÷ 收下和拒收的"),
            ACCURATE: Meaning("没有退信的 ÷ 邮件服务器收下的"),
            TIMELY: Meaning("15 分钟内邮件服务器收下的 ÷ 收下的、过期没发出的和等了 15 分钟的"),
        }
    },
    _measured,
)

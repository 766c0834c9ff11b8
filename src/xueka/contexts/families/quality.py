"""How good the citizens' sign-on of Jingtong is, by what the audit log has of it."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Count, Q

from xueka.platform.audit import queries as audit
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source, without
from xueka.platform.identity.scope import EVERYWHERE


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    tried = audit.entry_rows(EVERYWHERE).filter(action="family.sign_on", at__gte=first, at__lt=last)
    found = tried.aggregate(
        done=Count("id", filter=Q(result="done")),
        strangers=Count("id", filter=Q(result="refused")),
        failed=Count("id", filter=Q(result="failed")),
    )
    proved = found["done"] + found["strangers"]
    shares = {VALID: (proved, proved + found["failed"]), ACCURATE: (found["done"], proved)}
    return {"jingtong": shares}


QUALITY = Source(
    {
        "jingtong": {
            COMPLETE: without("一次登录一问一答，没有两边都存的记录"),
            VALID: Meaning("当天的登录里，京通证明了是谁的 ÷ 全部（不成的一分钟记一次）"),
            ACCURATE: Meaning("京通给的手机号是登记的监护人手机的 ÷ 证明了是谁的"),
            TIMELY: without("家长在页面上等应答，超过时限就是登录不成，算在“有效”里"),
        }
    },
    _measured,
)

"""How good what the card bureau gives back is."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Count, F, Q

from xueka.contexts.production.models import Package, ReturnFile
from xueka.kernel import clock
from xueka.platform.exchange.quality import ACCURATE, COMPLETE, TIMELY, VALID, Meaning, Share, Source

ANSWERED_WITHIN = timedelta(hours=24)


def _measured(first: datetime, last: datetime) -> Mapping[str, Mapping[str, Share]]:
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    came = ReturnFile.objects.filter(received_at__gte=first, received_at__lt=last).exclude(state="repeated")
    for state, final, counts in came.values_list("state", "final", "counts"):
        files[state] += 1
        if state == "applied":  # only from the last file on is missing what it does not name
            lines.update(counts if final else {**counts, "missing": 0})
    known = lines["lines"] - lines["unknown"] - lines["duplicate"]
    answered = Q(acknowledged_at__isnull=False)
    sent = Package.objects.filter(sent_at__gte=first, sent_at__lt=last).aggregate(
        in_time=Count("id", filter=Q(acknowledged_at__lte=F("sent_at") + ANSWERED_WITHIN)),
        ripe=Count("id", filter=answered | Q(sent_at__lt=clock.now() - ANSWERED_WITHIN)),
    )
    shares = {
        COMPLETE: (known, known + lines["missing"]),
        VALID: (files["applied"], files["applied"] + files["refused"]),
        ACCURATE: (known - lines["altered"], known),
        TIMELY: (sent["in_time"], sent["ripe"]),
    }
    return {"bureau": shares}


QUALITY = Source(
    {
        "bureau": {
            COMPLETE: Meaning("当天回盘里，有结果的卡 ÷ 应有结果的卡（含缺失的）"),
            VALID: Meaning("当天的回盘文件里，收下的 ÷ 收下和拒收的"),
            ACCURATE: Meaning("当天回盘里，与所发数据一致的卡 ÷ 有结果的卡"),
            TIMELY: Meaning("当天送出的制卡文件里，24 小时内回执的 ÷ 有回执的和满 24 小时的"),
        }
    },
    _measured,
)

"""How the payment channels stand, for the page of the interfaces. Amounts are the finance office's affair."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, OuterRef, Q, Subquery

from xueka.contexts.payments.domain.transitions import ABNORMAL, REFUND_UNDECIDED, UNKNOWN
from xueka.contexts.payments.models import CHANNELS, ChannelAccount, Notice, Payment, Refund
from xueka.kernel import clock
from xueka.platform.database.at_once import moment
from xueka.platform.exchange.standing import MONEY, Standing, Telling

#: Seconds that a doubtful payment or a notice may wait before it counts as late.
IN_TIME = 900


def standings(first: datetime) -> Telling:
    """Every channel with an account. `waiting`: attempts whose end nobody knows, notices not judged, refunds
    on their way; the oldest is that of the first two. `sent`: payments that succeeded. `failed`: notices that
    were not believed.
    """
    paid = Payment.objects.filter(channel=OuterRef("code"), success_at__isnull=False).order_by("-success_at")
    came = Notice.objects.filter(channel=OuterRef("code")).order_by("-received_at")
    answers = yield {
        "accounts": ChannelAccount.objects.order_by("code").values(
            "code",
            paid_at=Subquery(paid.values("success_at")[:1]),
            told_at=Subquery(came.values("received_at")[:1]),
        ),
        "doubtful": Payment.objects.filter(state=UNKNOWN)
        .order_by()
        .values("channel")
        .annotate(
            many=Count("id"),
            failing=Count("id", filter=~Q(last_error="")),
            oldest=Min("created_at"),
            problem=Max("last_error"),
        ),
        "unjudged": Notice.objects.filter(outcome="")
        .order_by()
        .values("channel")
        .annotate(many=Count("id"), oldest=Min("received_at")),
        "back": Refund.objects.filter(state__in=REFUND_UNDECIDED)
        .order_by()
        .values("payment__channel")
        .annotate(
            many=Count("id"),
            dead=Count("id", filter=Q(state=ABNORMAL)),
            failing=Count("id", filter=~Q(last_error="")),
        ),
        "paid": Payment.objects.filter(success_at__gte=first)
        .order_by()
        .values("channel")
        .annotate(many=Count("id")),
        "told": Notice.objects.filter(received_at__gte=first)
        .order_by()
        .values("channel")
        .annotate(many=Count("id"), refused=Count("id", filter=Q(outcome="refused"))),
    }
    by_channel = {name: _by_channel(rows) for name, rows in answers.items() if name != "accounts"}
    found = []
    for account in answers["accounts"]:
        code = account["code"]
        doubt, notices, refunds, paid_, told = (
            by_channel[name].get(code, {}) for name in ("doubtful", "unjudged", "back", "paid", "told")
        )
        oldest = [at for each in (doubt, notices) if (at := moment(each.get("oldest")))]
        age = int((clock.now() - min(oldest)).total_seconds()) if oldest else 0
        found.append(
            Standing(
                f"pay-{code}",
                CHANNELS[code],
                MONEY,
                answered_at=moment(account["paid_at"]),
                problem=doubt.get("problem", ""),
                waiting=sum(each.get("many", 0) for each in (doubt, notices, refunds)),
                failing=doubt.get("failing", 0) + refunds.get("failing", 0),
                oldest_seconds=max(age, 0),
                dead=refunds.get("dead", 0),
                sent=paid_.get("many", 0),
                received=told.get("many", 0),
                failed=told.get("refused", 0),
                in_time=IN_TIME,
                notes=[("最近通知", moment(account["told_at"]))],
            )
        )
    return found


def _by_channel(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures by channel, whatever the column of the channel is called."""
    return {str(each.get("channel") or each.get("payment__channel")): each for each in rows}

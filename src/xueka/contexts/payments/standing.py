"""How the payment channels stand, for the page of the interfaces. Amounts are the finance office's affair."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from xueka.contexts.payments.domain.transitions import ABNORMAL, REFUND_UNDECIDED, UNKNOWN
from xueka.contexts.payments.models import CHANNELS, ChannelAccount, Notice, Payment, Refund
from xueka.kernel import clock
from xueka.platform.exchange.standing import MONEY, Standing

#: Seconds that a doubtful payment or a notice may wait before it counts as late.
IN_TIME = 900


def standings(first: datetime) -> list[Standing]:
    """Every channel with an account. `waiting`: attempts whose end nobody knows, notices not judged, refunds
    on their way; the oldest is that of the first two. `sent`: payments that succeeded. `failed`: notices that
    were not believed.
    """
    codes = list(ChannelAccount.objects.order_by("code").values_list("code", flat=True))
    doubtful = _by_channel(
        Payment.objects.filter(state=UNKNOWN).values("channel"),
        many=Count("id"),
        failing=Count("id", filter=~Q(last_error="")),
        oldest=Min("created_at"),
        problem=Max("last_error"),
    )
    unjudged = _by_channel(
        Notice.objects.filter(outcome="").values("channel"), many=Count("id"), oldest=Min("received_at")
    )
    back = _by_channel(
        Refund.objects.filter(state__in=REFUND_UNDECIDED).values("payment__channel"),
        many=Count("id"),
        dead=Count("id", filter=Q(state=ABNORMAL)),
        failing=Count("id", filter=~Q(last_error="")),
    )
    last = _by_channel(Payment.objects.filter(channel__in=codes).values("channel"), at=Max("success_at"))
    paid = _by_channel(Payment.objects.filter(success_at__gte=first).values("channel"), many=Count("id"))
    told = _by_channel(
        Notice.objects.filter(received_at__gte=first).values("channel"),
        many=Count("id"),
        refused=Count("id", filter=Q(outcome="refused")),
    )
    found = []
    for code in codes:
        doubt, notices, refunds = (each.get(code, {}) for each in (doubtful, unjudged, back))
        oldest = [each["oldest"] for each in (doubt, notices) if each]
        age = int((clock.now() - min(oldest)).total_seconds()) if oldest else 0
        found.append(
            Standing(
                f"pay-{code}",
                CHANNELS[code],
                MONEY,
                answered_at=last.get(code, {}).get("at"),
                problem=doubt.get("problem", ""),
                waiting=sum(each.get("many", 0) for each in (doubt, notices, refunds)),
                failing=doubt.get("failing", 0) + refunds.get("failing", 0),
                oldest_seconds=max(age, 0),
                dead=refunds.get("dead", 0),
                sent=paid.get(code, {}).get("many", 0),
                received=told.get(code, {}).get("many", 0),
                failed=told.get(code, {}).get("refused", 0),
                in_time=IN_TIME,
            )
        )
    return found


def _by_channel(rows: QuerySet[Any, Any], **asked: Any) -> dict[str, dict[str, Any]]:
    """The figures by channel, whatever the column of the channel is called."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows.order_by().annotate(**asked):
        code = row.pop("channel", None) or row.pop("payment__channel")
        found[code] = row
    return found

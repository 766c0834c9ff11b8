"""How the text messages stand, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, F, Min, Q

from xueka.kernel import clock
from xueka.platform.database.at_once import first as row
from xueka.platform.database.at_once import moment, whole
from xueka.platform.exchange.standing import MESSAGES, Standing, Telling
from xueka.platform.messages.models import DELIVERED, FAILED, QUEUED, Message
from xueka.platform.messages.queries import SINCE


def standings(first: datetime) -> Telling:
    """The gateway of text messages. What has not arrived, and is not tried any more, needs nobody: it is told
    in `failed` alone. What was not sent in its time is no text that waits, nor one that the gateway failed to
    bring: it is counted apart, whether it has been ended yet or not.
    """
    now = clock.now()
    later = Q(attempts=0, next_at__gt=now)  # quiet hours: it waits on purpose
    unsent = Message.objects.filter(state=QUEUED)
    queued = unsent.filter(~later, expires_at__gt=now)
    too_late = Q(state=FAILED, sent_at=None, ended_at__gte=F("expires_at"))
    # Texts are kept for days after the end, so that the index of those to be emptied finds today's.
    ended = Message.objects.filter(ended_at__gte=first).exclude(envelope=b"")
    found = yield {
        "now": whole(
            queued,
            waiting=Count("id"),
            failing=Count("id", filter=Q(attempts__gt=0) & ~Q(problem="")),
            oldest=Min(SINCE),
        ),
        "ended": whole(
            ended,
            sent=Count("id", filter=Q(state=DELIVERED)),
            failed=Count("id", filter=Q(state=FAILED) & ~too_late),
            expired=Count("id", filter=too_late),
        ),
        "over": whole(unsent.filter(expires_at__lte=now), many=Count("id")),
        "last": Message.objects.filter(state=DELIVERED).order_by("-id").values("ended_at")[:1],
        "wrong": queued.exclude(problem="").order_by("-next_at").values("problem")[:1],
    }
    waits, ends, oldest = row(found["now"]), row(found["ended"]), moment(row(found["now"]).get("oldest"))
    expired = ends.get("expired", 0) + row(found["over"]).get("many", 0)
    return [
        Standing(
            "sms",
            "短信",
            MESSAGES,
            answered_at=moment(row(found["last"]).get("ended_at")),
            problem=row(found["wrong"]).get("problem", ""),
            waiting=waits.get("waiting", 0),
            failing=waits.get("failing", 0),
            oldest_seconds=max(int((now - oldest).total_seconds()), 0) if oldest else 0,
            sent=ends.get("sent", 0),
            failed=ends.get("failed", 0),
            notes=[("过期未发", f"{expired} 条")] if expired else [],
        )
    ]

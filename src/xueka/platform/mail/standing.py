"""How the mail stands, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, Max, Min, Q

from xueka.kernel import clock
from xueka.platform.database.at_once import first as row
from xueka.platform.database.at_once import moment, whole
from xueka.platform.exchange.standing import MESSAGES, Standing, Telling
from xueka.platform.mail.models import FAILED, QUEUED, Mail


def standings(first: datetime) -> Telling:
    """The mail server. A mail that came back needs nobody here: it is told in `failed` alone."""
    queued = Mail.objects.filter(state=QUEUED)
    found = yield {
        "now": whole(
            queued,
            waiting=Count("id"),
            failing=Count("id", filter=Q(attempts__gt=0) & ~Q(problem="")),
            oldest=Min("created_at"),
        ),
        "wrong": queued.exclude(problem="").order_by("-next_at").values("problem")[:1],
        "last": whole(Mail.objects.filter(sent_at__isnull=False), at=Max("sent_at")),
        "sent": whole(Mail.objects.filter(sent_at__gte=first), many=Count("id")),
        "failed": whole(Mail.objects.filter(state=FAILED, ended_at__gte=first), many=Count("id")),
    }
    now, oldest = row(found["now"]), moment(row(found["now"]).get("oldest"))
    return [
        Standing(
            "mail",
            "邮件",
            MESSAGES,
            answered_at=moment(row(found["last"]).get("at")),
            problem=row(found["wrong"]).get("problem", ""),
            waiting=now.get("waiting", 0),
            failing=now.get("failing", 0),
            oldest_seconds=max(int((clock.now() - oldest).total_seconds()), 0) if oldest else 0,
            sent=row(found["sent"]).get("many", 0),
            failed=row(found["failed"]).get("many", 0),
        )
    ]

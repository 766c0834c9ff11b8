"""How the mail stands, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, Max, Min, Q

from xueka.kernel import clock
from xueka.platform.exchange.standing import MESSAGES, Standing
from xueka.platform.mail.models import FAILED, QUEUED, Mail


def standings(first: datetime) -> list[Standing]:
    """The mail server. A mail that came back needs nobody here: it is told in `failed` alone."""
    queued = Mail.objects.filter(state=QUEUED)
    now = queued.aggregate(
        waiting=Count("id"),
        failing=Count("id", filter=Q(attempts__gt=0) & ~Q(problem="")),
        oldest=Min("created_at"),
    )
    wrong = queued.exclude(problem="").order_by("-next_at").values_list("problem", flat=True).first()
    last = Mail.objects.aggregate(last=Max("sent_at"))["last"]
    oldest = int((clock.now() - now["oldest"]).total_seconds()) if now["oldest"] else 0
    return [
        Standing(
            "mail",
            "邮件",
            MESSAGES,
            answered_at=last,
            problem=wrong or "",
            waiting=now["waiting"],
            failing=now["failing"],
            oldest_seconds=max(oldest, 0),
            sent=Mail.objects.filter(sent_at__gte=first).count(),
            failed=Mail.objects.filter(state=FAILED, ended_at__gte=first).count(),
        )
    ]

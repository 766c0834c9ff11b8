"""How the text messages stand, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, Min, Q

from xueka.kernel import clock
from xueka.platform.exchange.standing import MESSAGES, Standing
from xueka.platform.messages.models import DELIVERED, FAILED, QUEUED, Message
from xueka.platform.messages.queries import SINCE


def standings(first: datetime) -> list[Standing]:
    """The gateway of text messages. What has not arrived, and is not tried any more, needs nobody: it is told
    in `failed` alone.
    """
    later = Q(attempts=0, next_at__gt=clock.now())  # quiet hours: it waits on purpose
    open_ones = Message.objects.filter(~later, state=QUEUED).aggregate(
        waiting=Count("id"),
        failing=Count("id", filter=Q(attempts__gt=0) & ~Q(problem="")),
        oldest=Min(SINCE),
    )
    # Texts are kept for days after the end, so that the index of those to be emptied finds today's.
    ended = (
        Message.objects.filter(ended_at__gte=first)
        .exclude(envelope=b"")
        .aggregate(sent=Count("id", filter=Q(state=DELIVERED)), failed=Count("id", filter=Q(state=FAILED)))
    )
    delivered = Message.objects.filter(state=DELIVERED).order_by("-id")
    last = delivered.values_list("ended_at", flat=True).first()
    wrong = Message.objects.filter(~later, state=QUEUED).exclude(problem="").order_by("-next_at").first()
    oldest = int((clock.now() - open_ones["oldest"]).total_seconds()) if open_ones["oldest"] else 0
    return [
        Standing(
            "sms",
            "短信",
            MESSAGES,
            answered_at=last,
            problem=wrong.problem if wrong else "",
            waiting=open_ones["waiting"],
            failing=open_ones["failing"],
            oldest_seconds=max(oldest, 0),
            sent=ended["sent"],
            failed=ended["failed"],
        )
    ]

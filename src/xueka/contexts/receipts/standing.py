"""How the issuing of e-receipts at the finance office stands, for the page of the interfaces."""

from datetime import datetime

from django.db.models import Count, F, Max, Min, Q

from xueka.contexts.receipts.models import Draw, Receipt
from xueka.kernel import clock
from xueka.platform.database.at_once import first as row
from xueka.platform.database.at_once import moment, whole
from xueka.platform.exchange.standing import MONEY, Standing, Telling

IN_TIME = 900  # seconds that a receipt may wait


def standings(first: datetime) -> Telling:
    """Once a receipt is due. `waiting`: receipts that are not issued and kept, `sent`: issued, `received`:
    kept with the office's signature.
    """
    due = Receipt.objects.filter(next_try_at__isnull=False)
    found = yield {
        "now": whole(
            due,
            many=Count("id"),
            failing=Count("id", filter=Q(tries__gt=0)),
            oldest=Min("created_at"),
        ),
        "wrong": due.exclude(last_error="").order_by("-tries", "id").values("last_error")[:1],
        "last": whole(Receipt.objects.filter(issued_at__isnull=False), at=Max("issued_at")),
        "today": whole(
            Receipt.objects.filter(issued_at__gte=first),
            issued=Count("id"),
            kept=Count("id", filter=Q(signed_at__isnull=False)),
        ),
        "drawn": Draw.objects.filter(used__lt=F("count"), first__isnull=False)
        .order_by("-id")
        .values("drawn_at")[:1],
    }
    now, today = row(found["now"]), row(found["today"])
    last, oldest = moment(row(found["last"]).get("at")), moment(now.get("oldest"))
    if last is None and not now.get("many"):
        return []
    return [
        Standing(
            "receipts",
            "财政电子票据",
            MONEY,
            answered_at=last,
            problem=row(found["wrong"]).get("last_error", ""),
            waiting=now.get("many", 0),
            failing=now.get("failing", 0),
            oldest_seconds=max(int((clock.now() - oldest).total_seconds()), 0) if oldest else 0,
            sent=today.get("issued", 0),
            received=today.get("kept", 0),
            in_time=IN_TIME,
            notes=[("最近领票号", moment(row(found["drawn"]).get("drawn_at")))],
        )
    ]

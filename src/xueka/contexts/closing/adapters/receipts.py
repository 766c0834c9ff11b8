"""What contexts/receipts knows of a week."""

from datetime import date

from django.db.models import Count, Q, Sum

from xueka.contexts.closing.domain.figures import Receipts
from xueka.contexts.receipts import api as receipts
from xueka.platform.identity.scope import EVERYWHERE


def of_week(first: date, last: date) -> Receipts:
    """Drawn, issued, reversed and lacking between two days, both included."""
    blue, red = Q(amount_fen__gt=0), Q(amount_fen__lt=0)
    said = (
        receipts.issued(EVERYWHERE, first, last)
        .order_by()
        .aggregate(
            issued=Count("id", filter=blue),
            issued_fen=Sum("amount_fen", filter=blue, default=0),
            red=Count("id", filter=red),
            red_fen=Sum("amount_fen", filter=red, default=0),
        )
    )
    numbers = receipts.drawn(EVERYWHERE, first, last).aggregate(sum=Sum("count", default=0))["sum"]
    lacking = len(receipts.lacking(EVERYWHERE, first, last))
    return Receipts(
        int(numbers),
        said["issued"],
        int(said["issued_fen"]),
        said["red"],
        -int(said["red_fen"]),
        lacking,
    )

"""What the services of this context share."""

from datetime import timedelta

from xueka.contexts.receipts.models import Receipt
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor

#: Whose acts follow from money that has come or gone back.
WORKER = Actor.system("receipts")
#: 财务: draws numbers, has a receipt tried again at once.
MANAGE = "city:receipt:manage"
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 1800  # seconds


def locked(receipt_id: int) -> Receipt:
    return (
        Receipt.objects.select_for_update(of=("self",)).select_related("payment", "order").get(id=receipt_id)
    )


def pause_after(tries: int) -> timedelta:
    """How long until the office is asked again: twice as long each time, at most half an hour."""
    return timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(tries, 16), _LONGEST_PAUSE))


def postpone(receipt_id: int, code: str, message: str) -> None:
    """It did not work out: say why, and try again later. The receipt is never given up."""
    found = locked(receipt_id)
    if found.next_try_at is None:
        return
    Receipt.objects.filter(id=found.id).update(
        tries=found.tries + 1,
        next_try_at=clock.now() + pause_after(found.tries),
        refused=code[:24],
        last_error=message[:300],
    )

"""领取票据: blocks of numbers drawn from the finance office, and the next one of them."""

import secrets
from datetime import timedelta

from django.db.models import F

from xueka.contexts.receipts.models import MOST_NUMBERS, Draw, Receipt
from xueka.contexts.receipts.services.common import MANAGE
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

EMPTY = "STOCK_EMPTY"
#: A number has ten digits.
NUMBERS = 10**10
_AFTER_REFUSAL = timedelta(minutes=15)


def ask(actor: Actor, code: str, count: int) -> Draw:
    """Intend to draw numbers; whoever goes on asks the office under this draw's message id.

    Raises BadInput `RECEIPT_COUNT`.
    """
    actor.require(MANAGE)
    if type(count) is not int or not 1 <= count <= MOST_NUMBERS:
        raise BadInput(
            "RECEIPT_COUNT",
            "领取的票号数量不对。",
            where="数量",
            found=str(count)[:20],
            expected=f"1 至 {MOST_NUMBERS}",
        )
    made = Draw.objects.create(
        msg_id=secrets.token_hex(10),
        day=clock.today(),
        code=code,
        count=count,
        asked_at=clock.now(),
        asked_by=actor.username,
    )
    record(actor, "receipt.draw", "receipt_draw", made.msg_id, detail={"code": code, "count": count})
    return made


def answered(draw_id: int, first: int) -> Draw:
    """The office has given a block; the same again changes nothing. Who waited for a number goes on."""
    found = Draw.objects.select_for_update().get(id=draw_id)
    if found.first is None and not found.refused:
        Draw.objects.filter(id=found.id).update(first=first, drawn_at=clock.now())
        Receipt.objects.filter(refused=EMPTY).update(next_try_at=clock.now())
    found.refresh_from_db()
    return found


def refused(draw_id: int, why: str) -> Draw:
    """The office has none to give."""
    Draw.objects.filter(id=draw_id, first=None).update(refused=why[:200] or "未说明")
    return Draw.objects.get(id=draw_id)


def take(code: str) -> str:
    """The next number in stock, in the caller's transaction; empty where there is none."""
    found = (
        Draw.objects.select_for_update()
        .filter(code=code, first__isnull=False, used__lt=F("count"))
        .order_by("id")
        .first()
    )
    if found is None or found.first is None:
        return ""
    Draw.objects.filter(id=found.id).update(used=found.used + 1)
    return f"{found.first + found.used:010d}"


def open_draws() -> list[int]:
    """Draws that the office has not answered."""
    return list(Draw.objects.filter(first=None, refused="").order_by("id").values_list("id", flat=True)[:20])


def refused_lately() -> bool:
    """The office had none to give within the last quarter of an hour; it is not asked every few seconds."""
    since = clock.now() - _AFTER_REFUSAL
    return Draw.objects.filter(asked_at__gte=since).exclude(refused="").exists()

"""Where the receipt desk is spoken with: intent stored, then the network, then what came of it, each in a
transaction of its own. These functions are edges: they open their transactions and may be killed anywhere.
"""

from contextlib import suppress

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from xueka.contexts.payments import api as payments
from xueka.contexts.receipts.domain.transitions import DUE, ISSUED, NUMBERED
from xueka.contexts.receipts.models import Draw, Receipt
from xueka.contexts.receipts.ports import Connect, Office, OfficeRefused
from xueka.contexts.receipts.services import issuing, stock
from xueka.contexts.receipts.services.common import postpone
from xueka.kernel import clock
from xueka.kernel.errors import XuekaError
from xueka.platform.identity.actor import Actor


def office() -> Office:
    """The desk that `settings.RECEIPT_OFFICE` names. Raises OfficeUnavailable."""
    make: Connect = import_string(settings.RECEIPT_OFFICE)
    return make()


def work_on(receipt_id: int, desk: Office) -> None:
    """Bring one receipt as far as it goes; what stops it is kept with it, and it is tried again later."""
    try:
        receipt = _receipt(receipt_id)
        if receipt.state == DUE:
            _number(receipt, desk)
            receipt = _receipt(receipt_id)
        if receipt.state == NUMBERED:
            desk.issue(receipt)
            with transaction.atomic():
                issuing.mark_issued(receipt_id)
            receipt = _receipt(receipt_id)
        if receipt.state == ISSUED:
            downloaded = desk.download(receipt)
            with transaction.atomic():
                issuing.keep(receipt_id, desk.seal, downloaded)
    except XuekaError as error:
        with transaction.atomic():
            postpone(receipt_id, error.code, error.message)


def due(limit: int = 200) -> list[int]:
    """Receipts whose turn has come, the oldest first."""
    rows = Receipt.objects.filter(next_try_at__lte=clock.now())
    return list(rows.order_by("next_try_at", "id").values_list("id", flat=True)[:limit])


def draw_stock(actor: Actor, count: int) -> Draw:
    """领取票据: draw a block of numbers now; call it outside of any transaction.

    Raises BadInput `RECEIPT_COUNT`, OfficeUnavailable where the finance office has handed over nothing yet.
    Where it does not answer, the draw is asked for again by itself; look at `first` and `refused`.
    """
    desk = office()
    with transaction.atomic(durable=True):
        draw = stock.ask(actor, desk.terms.code, count)
    return answer_draw(draw.id, desk)


def answer_draw(draw_id: int, desk: Office) -> Draw:
    """Ask for a block that was intended, under the same message id as before. One that cannot be ours ends
    the draw: the same question would bring the same answer, and no other block would ever be asked for.
    """
    draw = Draw.objects.get(id=draw_id)
    try:
        first = desk.draw(draw)
    except OfficeRefused as error:
        with transaction.atomic():
            return stock.refused(draw_id, error.message)
    except XuekaError:
        return draw
    if first + draw.count <= stock.NUMBERS:
        with suppress(IntegrityError), transaction.atomic():  # the database holds which numbers we have
            return stock.answered(draw_id, first)
    with transaction.atomic():
        return stock.refused(draw_id, f"财政部门给的票号段（{first} 起）与已领的重叠或不成票号，没有入库")


def _number(receipt: Receipt, desk: Office) -> None:
    if issuing.before(receipt):
        with transaction.atomic():
            postpone(receipt.id, issuing.WAITS, "等同一笔缴款的前一张票据开具")
        return
    if receipt.order.fine and not desk.terms.fine_code:
        with transaction.atomic():
            postpone(receipt.id, issuing.WAITS, "财政部门的参数文件没有罚没收入的项目")
        return
    if receipt.payment.settlement == payments.DIRECT:
        given = desk.number(receipt)
        with transaction.atomic():
            issuing.number(receipt.id, desk.terms, given)
        return
    with transaction.atomic():
        if not issuing.number_from_stock(receipt.id, desk.terms):
            postpone(receipt.id, stock.EMPTY, "领取的票号用完了")


def _receipt(receipt_id: int) -> Receipt:
    return Receipt.objects.select_related("order__student", "payment", "blue").get(id=receipt_id)

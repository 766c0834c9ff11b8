"""The sweeps of receipts: what has become due, what the finance office is asked for, the stock of numbers.
Each may be killed or run twice at any point; a receipt that fails keeps no other waiting.
"""

import structlog
from django.conf import settings
from django.db import transaction

from xueka.contexts.receipts import calling, queries
from xueka.contexts.receipts.models import Receipt
from xueka.contexts.receipts.ports import OfficeUnavailable
from xueka.contexts.receipts.services import opening, stock
from xueka.contexts.receipts.services.common import WORKER, postpone
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.receipts")


@every(2, "receipts.open")
def open_due() -> None:
    """A blue one for each order that was paid, a red one for each refund that arrived."""
    for work in (opening.open_blue, opening.open_red):
        more = True
        while more:
            with transaction.atomic():
                more = work() > 0


@every(3, "receipts.issue")
def issue_due() -> None:
    ids = calling.due()
    if not ids:
        return
    try:
        desk = calling.office()
    except OfficeUnavailable as error:
        with transaction.atomic():
            for receipt_id in ids:
                postpone(receipt_id, error.code, error.message)
        return
    for receipt_id in ids:
        try:
            calling.work_on(receipt_id, desk)
        except Exception:
            log.exception("receipts.sweep_broken", receipt=receipt_id)
            with transaction.atomic():
                postpone(receipt_id, "BROKEN", "程序出错，已记入日志，稍后自动再试")


@every(5, "receipts.stock")
def keep_stock() -> None:
    """Draws that were not answered; and another one before the stock runs out, where a city wants that."""
    waiting = stock.open_draws()
    wanted = settings.RECEIPTS_STOCK_DRAW
    low = not waiting and wanted and queries.stock(EVERYWHERE).low and Receipt.objects.exists()
    if not waiting and not low:
        return
    try:
        desk = calling.office()
    except OfficeUnavailable:
        return
    for draw_id in waiting:
        try:
            calling.answer_draw(draw_id, desk)
        except Exception:
            log.exception("receipts.draw_broken", draw=draw_id)
    if low and not stock.refused_lately():
        calling.draw_stock(WORKER, wanted)


def sweep() -> None:
    """One round of everything, for whoever runs without a worker."""
    for work in (open_due, keep_stock, issue_due):
        work()

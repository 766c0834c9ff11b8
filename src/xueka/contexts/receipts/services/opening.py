"""A receipt becomes due: a blue one when an order is paid, a red one when something of it went back."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from xueka.contexts.payments import api as payments
from xueka.contexts.receipts.domain.codes import collection_code
from xueka.contexts.receipts.domain.transitions import RECEIPT
from xueka.contexts.receipts.models import Followed, Receipt
from xueka.contexts.receipts.services.common import WORKER
from xueka.kernel import clock
from xueka.platform.history.services import begin
from xueka.platform.identity.scope import EVERYWHERE


def open_blue(limit: int = 500) -> int:
    """For the orders that were settled since the last time; how many there were to read."""
    Followed.objects.get_or_create(id=1)
    followed = Followed.objects.select_for_update().get(id=1)
    settled = payments.settled_after(EVERYWHERE, followed.seq, limit)
    if not settled:
        return 0
    paid = [each.order_id for each in settled if each.state == "paid"]
    rows = payments.payment_rows(EVERYWHERE).filter(order_id__in=paid, credited=True, receipts=None)
    _open([_blue(payment) for payment in rows.order_by("id")])
    Followed.objects.filter(id=1).update(seq=settled[-1].seq)
    return len(settled)


def open_red(limit: int = 500) -> int:
    """For the refunds of orders that have reached the payer, once the blue receipt is due at least."""
    Followed.objects.get_or_create(id=1)
    Followed.objects.select_for_update().get(id=1)  # one at a time
    rows = payments.refund_rows(EVERYWHERE).filter(
        state="succeeded", source="income", receipt=None, payment__receipts__refund=None
    )
    found = list(rows.exclude(payment__receipts=None).select_related("payment").order_by("id")[:limit])
    blues = {
        blue.payment_id: blue
        for blue in Receipt.objects.filter(payment__in=[each.payment_id for each in found], refund=None)
    }
    _open([_red(each, blues[each.payment_id]) for each in found])
    return len(found)


def _open(receipts: Sequence[Receipt]) -> None:
    begin(RECEIPT, [each.id for each in Receipt.objects.bulk_create(receipts)], WORKER)


def _blue(payment: payments.Payment) -> Receipt:
    """Direct money has its payment code; for what we collected we make one."""
    direct = payment.settlement == payments.DIRECT
    on = clock.local(payment.created_at).date()
    code = collection_code(settings.PAYMENTS_NONTAX_REGION, on, payment.id)
    return _fresh(
        order_id=payment.order_id,
        payment=payment,
        amount_fen=payment.amount_fen,
        pay_code=payment.out_trade_no if direct else code,
        since=payment.success_at,
    )


def _red(refund: payments.Refund, blue: Receipt) -> Receipt:
    return _fresh(
        order_id=refund.order_id,
        payment=refund.payment,
        refund=refund,
        blue=blue,
        amount_fen=-refund.amount_fen,
        pay_code=blue.pay_code,
        since=refund.success_at,
    )


def _fresh(*, since: datetime | None, **values: object) -> Receipt:
    now = clock.now()
    return Receipt(
        **values, since=since or now, state=RECEIPT.initial, state_at=now, created_at=now, next_try_at=now
    )

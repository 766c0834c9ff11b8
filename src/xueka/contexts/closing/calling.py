"""Where the finance office is spoken with about 退付: intent stored, then the network, then what came of it,
each in a transaction of its own. May be killed anywhere.
"""

from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from xueka.contexts.closing.services import paying_back
from xueka.contexts.payments import api as payments
from xueka.kernel.errors import XuekaError

PayBack = Callable[[payments.Refund], payments.ToldRefund]


def follow(refund_id: int) -> None:
    """Ask the finance office for a 退付, or what became of it. The same number, so never twice."""
    with transaction.atomic(durable=True):
        refund = paying_back.mark_asked(refund_id)
    if refund is None:
        return
    pay_back: PayBack = import_string(settings.BACK_PAYMENTS)
    try:
        told = pay_back(refund)
    except XuekaError as error:
        with transaction.atomic():
            paying_back.note(refund_id, error.message)
        return
    with transaction.atomic():
        paying_back.hear(refund_id, told)

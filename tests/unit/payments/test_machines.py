"""Every event in every state of orders, payments and refunds, on the real tables with their guards."""

import pytest
from django.db import transaction

from tests.support.machines import assert_every_pair, shortest_ways
from tests.unit.payments.conftest import FINANCE, SYSTEM, Cashier
from xueka.contexts.payments import api as payments
from xueka.platform.history.services import apply


class _Undo(Exception):
    """Whatever was tried is taken back."""


@pytest.mark.parametrize("what", ["order", "payment", "refund"])
def test_every_pair(cashier: Cashier, what: str) -> None:
    machine = {"order": payments.ORDER, "payment": payments.PAYMENT, "refund": payments.REFUND}[what]
    if what == "refund":
        found = payments.refund(FINANCE, cashier.paid().id, 1, "x", "k")
    else:
        order = cashier.order()
        found = order
        if what == "payment":
            found = payments.Payment.objects.get(id=cashier.attempt(order).id)
    walked = found.state if what == "payment" else machine.initial
    if walked != machine.initial:  # the attempt is pending already; one that is only recorded
        found = _recorded(found)
    after, ways = "", shortest_ways(machine)

    def try_event(event: str, source: str, to: str | None) -> str:
        nonlocal after
        try:
            with transaction.atomic():
                for step, target in ways[source]:
                    apply(machine, type(found), [found.id], step, SYSTEM, to=target)
                after = source
                with transaction.atomic():
                    apply(machine, type(found), [found.id], event, SYSTEM, to=to)
                after = type(found).objects.get(id=found.id).state
                raise _Undo
        except _Undo:
            return after

    allowed, refused = assert_every_pair(machine, try_event)
    assert allowed == len({(row.event, row.source) for row in machine.transitions}) and refused


def _recorded(payment: payments.Payment) -> payments.Payment:
    from xueka.contexts.payments.services.paying import begin_payment

    return begin_payment(SYSTEM, payment.order_id, "alipay")

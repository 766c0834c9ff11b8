"""A refund that a channel called failed, and paid after its payment was signed and remitted."""

from datetime import timedelta

import pytest
from django.db import transaction

from tests.unit.closing.conftest import FEN, NEXT, ONE, Office, refused
from tests.unit.closing.test_closing import holds
from tests.unit.payments.conftest import books
from xueka.contexts.closing import api as closing
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("returned", [True, False])
def test_a_refund_that_succeeds_after_the_week_was_remitted_is_asked_back(
    office: Office, returned: bool
) -> None:
    """The channel said no, the week was signed with the whole, then the channel had paid after all."""
    payment, other = office.paid(), office.paid()
    refund = office.refund(payment, 700)
    before = office.refund(other, 300)
    for each in (refund, before):
        payments.hear_refund(each.id, payments.ToldRefund("failed"))
    told = payments.ToldRefund("succeeded", 300, "F0", clock.now())
    assert payments.hear_refund(before.id, told)[0] == "applied"  # not late: it is not in the close
    office.to(NEXT)
    signed = office.close()
    office.remit(signed)
    assert signed.to_remit_fen == 2 * FEN - 300
    told = payments.ToldRefund("succeeded", 700, "F1", clock.now())
    assert payments.hear_refund(refund.id, told) == ("applied", "记为未成之后成功")
    assert closing.register_back_payments() == 1
    assert closing.register_back_payments() == 0
    [row] = closing.back_payments(EVERYWHERE)
    assert (row.refund_number, row.close, row.document_number) == (refund.number, signed.number, "")
    assert row.said == "渠道已退回，而款项已经上缴"
    holds()

    @transaction.atomic
    def end() -> None:
        closing.end_back_payment(
            ONE, refund.id, paid=returned, document_number="退7", on=clock.today(), said="已核"
        )

    end()
    end()
    opposite = {"paid": not returned, "document_number": "退7", "on": clock.today()}
    assert refused(lambda: closing.end_back_payment(ONE, refund.id, **opposite)) == "BACK_PAYMENT_ENDED"
    assert [each.document_number for each in closing.back_payments(EVERYWHERE)] == ["退7"]
    whole = 2 * FEN - 300
    left = whole - 700 if returned else whole
    assert books(signed.number) == {"treasury": left, "bank": -left}
    holds()


def test_a_refund_after_all_that_nobody_asks_back_is_found(office: Office) -> None:
    payment = office.paid()
    refund = office.refund(payment, 700)
    payments.hear_refund(refund.id, payments.ToldRefund("failed"))
    office.to(NEXT)
    office.close()
    payments.hear_refund(refund.id, payments.ToldRefund("succeeded", 700, "F1", clock.now()))
    [two_ways] = [each for each in closing.INVARIANTS if each.name == "nothing_goes_two_ways"]
    assert check(two_ways).violated == 0  # the sweep has its minutes
    office.cashier.time.advance(timedelta(minutes=11))  # type: ignore[attr-defined]
    office.cashier.order()
    assert check(two_ways).violated == 1
    closing.register_back_payments()
    assert check(two_ways).violated == 0

"""A week from the first payment to the 一般缴款书."""

import json
from datetime import timedelta

import pytest

from tests.unit.closing.conftest import FEN, MONDAY, NEXT, ONE, OTHER, SUNDAY, Office, codes, refused
from tests.unit.payments.conftest import books, everything_holds
from xueka.contexts.closing import api as closing
from xueka.contexts.ledger import api as ledger
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE, Scope
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db


def holds() -> None:
    everything_holds()
    for invariant in closing.INVARIANTS:
        found = check(invariant)
        assert found.violated == 0, found


def test_a_week_is_closed_and_remitted(office: Office) -> None:
    two = [office.paid(), office.paid()]
    coded = office.paid(channel="nontax")
    back = office.paid()
    office.refund(back, 500)
    office.to(NEXT)
    office.ready()
    found = closing.proposal(EVERYWHERE, MONDAY)
    assert (found.blocks, found.state, found.name) == ((), "open", "2026-W37")
    by = {each.channel: each for each in found.channels}
    assert (by["wechat"].orders, by["wechat"].gross_fen, by["wechat"].refunded_before_fen) == (
        3,
        3 * FEN,
        500,
    )
    assert (by["wechat"].to_remit_fen, by["wechat"].confirmed_fen) == (3 * FEN - 500, 0)
    assert (by["nontax"].to_remit_fen, by["nontax"].confirmed_fen) == (0, FEN)
    prepared = office.prepare()
    assert office.prepare() == prepared
    assert refused(lambda: closing.sign(ONE, prepared.id)) == "SECOND_PERSON"
    signed = office.sign(prepared)
    assert (signed.state, signed.seq, signed.previous) == ("signed", 1, "")
    assert ledger.closed_until(EVERYWHERE) == SUNDAY
    paid = payments.payment_rows(EVERYWHERE).filter(remitted_in=signed.number)
    assert set(paid) == {*two, back}
    said = json.loads(closing.document(EVERYWHERE, signed.id))
    assert (said["to_remit_fen"], said["confirmed_fen"], len(said["payments"])) == (5500, FEN, 4)
    assert said["signed_by"] == "other"
    made = office.remit(signed)
    assert office.remit(signed) == made
    signed.refresh_from_db()
    assert signed.state == "remitted"
    assert books(signed.number) == {"treasury": 5500, "bank": -5500}
    assert closing.check_chain(EVERYWHERE).ok
    assert [each.state for each in closing.weeks(EVERYWHERE)] == ["remitted"]
    assert coded.remitted_in == ""
    holds()


def test_everything_that_blocks_is_named(office: Office) -> None:
    payment = office.paid()
    assert codes() == ["WEEK_RUNNING", "STATEMENT_MISSING", "STATEMENT_MISSING", "NOT_RECONCILED",
                       "RECEIPTS_NOT_COLLECTED"]  # fmt: skip
    office.to(NEXT)
    office.forget = {payment.out_trade_no}
    office.statements()
    assert codes() == ["NOT_RECONCILED", "RECEIPTS_NOT_COLLECTED"]
    office.reconcile()
    assert codes() == ["BREAK_UNSIGNED", "RECEIPTS_NOT_COLLECTED"]
    assert refused(lambda: closing.prepare(ONE, MONDAY)) == "CLOSE_BLOCKED"
    office.sign_breaks()
    office.collect()
    assert codes() == []
    office.to(NEXT + timedelta(days=7))
    assert "WEEK_BEFORE_OPEN" in codes(NEXT)
    assert refused(lambda: closing.proposal(EVERYWHERE, SUNDAY)) == "WEEK_INVALID"
    assert refused(lambda: closing.proposal(Scope("school", "1"), MONDAY)) == "WEEK_NOT_FOUND"


def test_a_change_between_the_two_people_is_seen(office: Office) -> None:
    payment = office.paid()
    office.to(NEXT)
    office.ready()
    prepared = office.prepare()
    office.refund(payment, 500)
    assert refused(lambda: closing.sign(OTHER, prepared.id)) == "CLOSE_CHANGED"
    assert payments.payment_rows(EVERYWHERE).get().remitted_in == ""
    again = office.prepare()
    assert (again.number, again.to_remit_fen) == ("2026-W37-2", 0)
    prepared.refresh_from_db()
    assert prepared.state == "dropped"
    # The refund has no answer yet: its payment is carried to the next week.
    found = closing.proposal(EVERYWHERE, MONDAY)
    assert [each.carried for each in found.carried] == ["退款尚无结果"]
    signed = office.sign(again)
    assert signed.state == "remitted"  # there is nothing to remit
    office.to(NEXT + timedelta(days=7))
    second = office.close(NEXT)
    assert (second.to_remit_fen, second.seq, second.previous) == (1500, 2, signed.digest)
    holds()


def test_late_money_goes_into_the_week_that_is_open(office: Office) -> None:
    order = office.cashier.order()
    payment = office.cashier.paid_at_channel(order)
    office.paid()
    office.to(NEXT)
    # Nobody has told of it: the channel has it, we wait. It is asked for after the close.
    first = office.close()
    assert first.to_remit_fen == 2 * FEN or first.to_remit_fen == FEN
    assert payment.id
    holds()
    assert clock.today() == NEXT

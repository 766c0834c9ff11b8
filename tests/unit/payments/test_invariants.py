"""Every invariant of payments: violated once by direct SQL as the owner, and caught."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.support.fake_channel import BANKS, payment_notice
from tests.unit.cards.conftest import NOW, build
from tests.unit.payments.conftest import FINANCE, SYSTEM, Cashier, open_channels
from xueka.contexts.payments import api as payments
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in payments.INVARIANTS}
_MACHINES = {"order": "expired", "payment": "failed", "refund": "pending"}
VIOLATIONS = {
    **{
        f"{name}_state_equals_last_history_row": f"UPDATE payments_{name} SET state = '{state}'"
        for name, state in _MACHINES.items()
    },
    **{
        f"{name}_steps_allowed": f"UPDATE history_transition SET event = 'x' WHERE machine = '{name}'"
        for name in _MACHINES
    },
    "orders_are_paid_once": "UPDATE payments_order SET state = 'open' WHERE state = 'paid'",
    "payments_are_in_the_books_once": "UPDATE ledger_posting SET fen = fen - 1 WHERE account = 'income'",
    "no_payment_entry_without_its_payment": "UPDATE ledger_entry SET key = key || 'x' WHERE kind = 'payment'",
    "strays_go_back": "UPDATE payments_refund SET source = 'income' WHERE source = 'payers'",
    "refunds_stay_within_what_came": "UPDATE payments_refund SET amount_fen = amount_fen + 9000",
    "refunds_are_in_the_books": "UPDATE ledger_posting SET fen = fen - 1 WHERE account = 'refunds'",
    "refunded_orders_are_refunded": "UPDATE payments_refund SET state = 'failed' WHERE source = 'income'",
    "notices_applied_were_verified": "UPDATE payments_notice SET payment_id = NULL",
    "unknown_money_is_in_the_books_once": "UPDATE payments_unknown SET fen = fen + 1",
    "settled_orders_are_told": "DELETE FROM payments_settled",
}


@pytest.fixture
def everything(transactional_db: None, in_memory: None) -> Iterator[None]:
    with clock.at(NOW) as time:
        open_channels()
        cashier = Cashier(build())
        cashier.paid()
        back, late = cashier.paid(), cashier.order()
        with transaction.atomic():
            payments.refund(FINANCE, back.id, back.amount_fen, "x", "k")
        payment = cashier.paid_at_channel(late)
        with transaction.atomic():
            payments.cancel_order(SYSTEM, late.id)
        cashier.notice(payment)
        stranger = BANKS["wechat"].paid[payment.out_trade_no]
        stranger = replace(stranger, channel_id="T-nobody")
        BANKS["wechat"].seconds["T-nobody"] = stranger
        payments.take_notice("wechat", *payment_notice("N-nobody", "XKNOBODYS1", stranger))
        for _ in range(3):
            payments.sweep()
            time.advance(timedelta(minutes=40))
    yield


def test_each_holds_and_each_violation_is_caught(everything: None) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated or not result.checked} == {}
    assert set(VIOLATIONS) == set(ALL)
    missed = {}
    tables = ("history_transition", "ledger_entry", "ledger_posting")
    own = tuple(f"payments_{name}" for name in ("order", "payment", "refund", "notice", "settled", "unknown"))
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in (*tables, *own):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0, name
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}

"""Every invariant of receipts: violated once by direct SQL as the owner, and caught."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from tests.unit.cards.conftest import NOW, build
from tests.unit.payments.conftest import Cashier, open_channels
from tests.unit.receipts.conftest import DESKS, MemoryDesk, back, hurry
from xueka.contexts.receipts import api as receipts
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in receipts.INVARIANTS}
VIOLATIONS = {
    "receipt_state_equals_last_history_row": "UPDATE receipts_receipt SET state = 'issued'",
    "receipt_steps_allowed": "UPDATE history_transition SET event = 'x' WHERE machine = 'receipt'",
    "receipts_follow_the_money": "UPDATE receipts_receipt SET amount_fen = 1 WHERE amount_fen > 0",
    "receipts_are_of_money": "UPDATE payments_refund SET amount_fen = amount_fen - 1",
    "receipts_taken_back_within_the_blue": (
        "UPDATE receipts_receipt SET amount_fen = -9000 WHERE amount_fen < 0"
    ),
    "receipts_kept_as_they_came": "UPDATE files_storedfile SET name = 'x'",
    "receipt_stock_adds_up": "UPDATE receipts_draw SET used = used + 1",
}


@pytest.fixture
def everything(transactional_db: None, in_memory: None, settings) -> Iterator[None]:
    settings.RECEIPT_OFFICE = "tests.unit.receipts.conftest.connect"
    DESKS.append(MemoryDesk())
    with clock.at(NOW):
        open_channels()
        cashier = Cashier(build())
        back(cashier.paid(), 700, "k")
        hurry(3)
        yield
    DESKS.pop()


def test_each_holds_and_each_violation_is_caught(everything: None) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated or not result.checked} == {}
    assert set(VIOLATIONS) == set(ALL)
    missed = {}
    tables = ("history_transition", "payments_refund", "receipts_receipt", "receipts_draw")
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in tables:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0, name
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}


@pytest.mark.parametrize("table", ["receipts_receipt", "receipts_draw", "receipts_seal"])
def test_even_the_owner_empties_no_table(transactional_db: None, table: str) -> None:
    """A test run may, and has therefore put the triggers to sleep."""
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(f"TRUNCATE {table} CASCADE")
        owner.rollback()

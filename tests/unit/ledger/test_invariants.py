"""Every invariant of the books: violated once by direct SQL as the owner, and caught."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.ledger.test_posting import DAY, FINANCE, NOW, SALE, SYSTEM
from xueka.contexts.ledger import api as ledger
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in ledger.INVARIANTS}
VIOLATIONS = {
    "ledger_entries_are_balanced": "UPDATE ledger_posting SET fen = 1999 WHERE account = 'income'",
    "ledger_adds_up_to_nothing": "DELETE FROM ledger_posting WHERE account = 'income'",
    "ledger_owes_nobody_twice": "UPDATE ledger_posting SET fen = 500 WHERE account = 'payers'",
    "ledger_accounts_move_by_their_events": "UPDATE ledger_posting SET account = 'fees' WHERE line = 2",
    "ledger_closed_periods_stay_closed": "UPDATE ledger_posting SET account = 'bank' WHERE fen = -2000",
}


def test_each_holds_and_each_violation_is_caught(transactional_db: None) -> None:
    with clock.at(NOW), transaction.atomic():
        ledger.post(SYSTEM, "sale", "payment", DAY - timedelta(days=1), SALE, {})
        stray = [
            ledger.Posting("clearing.wechat", 500, "wechat", "P2"),
            ledger.Posting("payers", -500, "", "P2"),
        ]
        ledger.post(SYSTEM, "stray", "payment", DAY, stray, {})
        ledger.close_period(FINANCE, DAY - timedelta(days=1))
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated or not result.checked} == {}
    assert set(VIOLATIONS) == set(ALL)
    missed = {}
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            owner.execute("ALTER TABLE ledger_posting DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}


def test_ledger_check_names_what_is_wrong(transactional_db: None) -> None:
    with clock.at(NOW), transaction.atomic():
        ledger.post(SYSTEM, "sale", "payment", DAY, SALE, {})
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        owner.execute("ALTER TABLE ledger_posting DISABLE TRIGGER ledger_posting_no_change")
        owner.execute("UPDATE ledger_posting SET fen = 1 WHERE account = 'income'")
        owner.execute("ALTER TABLE ledger_posting ENABLE TRIGGER ledger_posting_no_change")
    found = ledger.check_books(SYSTEM.scope)
    assert (found.balanced, found.unbalanced) == (False, ["sale"])


@pytest.mark.django_db
def test_empty_books_are_balanced() -> None:
    found = ledger.check_books(SYSTEM.scope)
    assert (found.entries, found.balanced) == (0, True)

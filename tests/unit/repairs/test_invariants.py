"""Every invariant of repairs: violated once by direct SQL, and caught."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from tests.unit.cards.conftest import NOW
from tests.unit.repairs.conftest import make_troubles
from xueka.contexts.repairs import api as repairs
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in repairs.INVARIANTS}
VIOLATIONS = {
    "repair_state_equals_last_history_row": "UPDATE repairs_repair SET state = 'refused'",
    "repair_steps_allowed": (
        "UPDATE history_transition SET event = 'keep' WHERE machine = 'repair' AND event = 'apply'"
    ),
    "repairs_have_two_people": "UPDATE repairs_repair SET approved_by = ''",
    "repairs_of_numbers_exist": "UPDATE numbers_numberuse SET repair = -1 WHERE repair IS NOT NULL",
}


@pytest.fixture
def repaired(transactional_db: None) -> Iterator[None]:
    with clock.at(NOW):
        make_troubles().repaired("hand_out")
    yield


def test_each_holds_and_each_violation_is_caught(repaired: None) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated or not result.checked} == {}
    missed = {}
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in ("history_transition", "numbers_numberuse"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}

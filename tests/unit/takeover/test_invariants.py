"""Every invariant of take-overs: violated once by direct SQL, and caught. And the machine, pair by pair."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection

from tests.unit.cards.conftest import NOW
from tests.unit.takeover.conftest import start
from xueka.contexts.takeover import api as takeover
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in takeover.INVARIANTS}
VIOLATIONS = {
    "takeover_state_equals_last_history_row": "UPDATE takeover_takeover SET state = 'settled'",
    "takeover_steps_allowed": (
        "UPDATE history_transition SET event = 'finish' WHERE machine = 'takeover' AND event = 'approve'"
    ),
    "takeover_approved_by_two_people": "UPDATE takeover_takeover SET approved_by = ''",
    "takeover_rows_have_their_objects": "UPDATE takeover_cardrow SET object_id = -1 WHERE line = 2",
    "takeover_complete_when_loaded": "UPDATE takeover_cardrow SET object_id = NULL WHERE line = 2",
    "takeover_numbers_are_never_given_again": (
        "UPDATE numbers_numberrange SET is_open = true WHERE sort = 'transit' AND taken_over IS NOT NULL"
    ),
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loaded(transactional_db: None) -> Iterator[takeover.TakeOver]:
    with clock.at(NOW):
        found = start(60).loaded()
    yield found


def test_each_holds_and_has_checked_something(loaded: takeover.TakeOver) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated} == {}
    assert [name for name, result in results.items() if not result.checked] == []


def test_each_violation_is_caught(loaded: takeover.TakeOver) -> None:
    missed = {}
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in ("history_transition", "numbers_numberuse", "numbers_numberrange"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}

"""Each invariant holds on a line that was run, and is violated once by direct SQL and caught."""

import pytest
from django.db import connection, transaction

from tests.unit.production.conftest import (
    ENCRYPTION,
    FIRST,
    OTHER,
    SECOND,
    Line,
    fresh,
    items,
    line,
)
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.platform.invariants import InvariantResult, check

NAMED = {invariant.name: invariant for invariant in production.INVARIANTS}


@pytest.fixture
def run(made_line: Line) -> Line:
    """Batches in every state but approved."""
    made_line.batch(1)
    production.lock(FIRST, made_line.batch(1).id)
    production.dissolve(FIRST, made_line.batch(1).id, "组错了")
    closed = made_line.acknowledged(3)
    first, second, _ = items(closed)
    made_line.take(closed, [line(first), line(second, result="01")])
    production.declare_missing(FIRST, closed.id)
    production.close(SECOND, closed.id)
    half = made_line.acknowledged(2)
    made_line.take(half, [line(items(half)[0])], final=False)
    bounced = made_line.sent(1)
    made_line.bureau.refuse(bounced)
    jobs.poll_bureau()
    made_line.acknowledged(1)
    made_line.sent(1)
    made_line.ready(1)
    made_line.new_keys(OTHER, ENCRYPTION)
    assert {fresh(closed).state, fresh(half).state, fresh(bounced).state} == {
        "closed",
        "reconciling",
        "bounced",
    }
    return made_line


def results() -> dict[str, InvariantResult]:
    return {name: check(invariant) for name, invariant in NAMED.items()}


def test_all_hold_and_have_checked_something(run: Line) -> None:
    for result in results().values():
        assert result.violated == 0, (result.name, result.examples)
        assert result.checked > 0, result.name


#: A table and what to set in it.
ATTACKS = {
    "batch_state_equals_last_history_row": (
        "production_batch",
        "state = 'closed' WHERE state = 'reconciling'",
    ),
    "batch_steps_allowed": ("production_batch", ""),
    "every_batch_card_accounted": ("cards_card", "state = 'ordered' WHERE state = 'made'"),
    "batch_has_its_cards": ("production_batch", "card_count = card_count + 1 WHERE state = 'sent'"),
    "every_card_sent_had_a_stored_intent": (
        "production_package",
        "started_at = '2020-01-01', sent_at = '2020-01-01' WHERE state = 'sent'",
    ),
    "every_package_sent_was_approved": (
        "production_batch",
        "approved_at = '2099-01-01' WHERE state = 'sent'",
    ),
    "packages_were_made_for_confirmed_keys": ("production_package", "built_at = '2020-01-01'"),
    "returns_are_signed_by_the_bureau_that_was_sent": (
        "production_package",
        "keys_id = (SELECT max(id) FROM production_partnerkeys) WHERE state = 'accepted'",
    ),
    "package_bytes_match_their_digest": (
        "files_storedfile",
        "content = content || 'x' WHERE name LIKE 'XKP%'",
    ),
    "batch_state_fits_its_package": ("production_package", "state = 'refused' WHERE state = 'accepted'"),
    "closed_batch_has_nothing_open": (
        "production_batchitem",
        "outcome = 'pending' WHERE outcome = 'dropped'",
    ),
    "results_come_from_applied_returns": ("production_returnfile", "state = 'refused'"),
    "open_card_is_in_one_batch": ("production_batchitem", "outcome = 'dropped' WHERE outcome = 'pending'"),
}
BACK_DOOR = (
    "INSERT INTO history_transition"
    " (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)"
    " SELECT 'batch', id, 99, 'close', 'open', 'closed', now(), 'x', '', '{}' FROM production_batch LIMIT 1"
)


def test_every_invariant_has_its_attack() -> None:
    assert set(ATTACKS) == set(NAMED)


def test_every_violation_is_caught(run: Line) -> None:
    for name, (table, change) in ATTACKS.items():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {table} SET {change}" if change else BACK_DOOR)
                assert cursor.rowcount > 0, name
            found = check(NAMED[name])
            assert found.violated > 0, name
            assert found.examples, name
            transaction.set_rollback(True)

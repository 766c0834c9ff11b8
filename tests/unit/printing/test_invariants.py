"""Each invariant holds at a busy counter, and is violated once by direct SQL and caught."""

import pytest
from django.db import connection, transaction

from tests.unit.printing.conftest import EAST, Counter
from xueka.contexts.cards import api as cards
from xueka.contexts.printing import api as printing
from xueka.platform.invariants import check

NAMED = {invariant.name: invariant for invariant in printing.INVARIANTS}

ATTACKS = {
    "print_job_state_equals_last_history_row": (
        "UPDATE printing_printjob SET state = 'cancelled' WHERE state = 'failed'"
    ),
    "print_job_steps_allowed": (
        "INSERT INTO history_transition"
        " (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)"
        " SELECT 'print_job', id, 99, 'print', 'queued', 'printed', now(), 'x', '', '{}'"
        " FROM printing_printjob LIMIT 1"
    ),
    "printing_supplies_add_up": 'UPDATE printing_supply SET "left" = "left" - 1',
    "printing_every_print_is_counted": (
        "UPDATE printing_printjob SET state = 'failed' WHERE state = 'printed'"
    ),
    "printing_jobs_of_a_card_are_numbered": (
        "UPDATE printing_printjob SET number = 3, reason = 'faint' WHERE state = 'failed'"
    ),
    "printing_spoilt_plastic_is_no_card": (
        "UPDATE cards_card SET chip_uid = '04FFFF' WHERE id = (SELECT max(id) FROM cards_card)"
    ),
}


@pytest.fixture
def busy(counter: Counter) -> Counter:
    for state in ("printed", "failed", "unknown", "cancelled", "sent"):
        job = counter.job(state)
    printing.report("a-000000000001", job.id, "failed")
    spoilt = counter.job("printed", plastic="04FFFF")
    printing.spoil_plastic(EAST, counter.printer.id, "print", card_id=spoilt.card_id, plastic="04FFFF")
    cards.spoil_at_counter(EAST, spoilt.card_id, "印坏")
    counter.card()
    return counter


def test_all_hold_and_have_checked_something(busy: Counter) -> None:
    for name, invariant in NAMED.items():
        result = check(invariant)
        assert result.violated == 0, (name, result.examples)
        assert result.checked > 0, name


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_violation_is_caught(busy: Counter, name: str) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ATTACKS[name])
        assert check(NAMED[name]).violated > 0
        transaction.set_rollback(True)

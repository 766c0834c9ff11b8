"""Each invariant is violated once by SQL, and seen."""

import pytest
from django.db import connection, transaction

from tests.unit.replacements.conftest import Families
from xueka.contexts.replacements.invariants import INVARIANTS
from xueka.platform.invariants import Invariant, check

pytestmark = pytest.mark.django_db(transaction=True)

DAMAGE = {
    "replacements_made_only_when_paid_or_free": "UPDATE replacements_replacement SET fee_fen = 1999",
    "replacements_ended_money_goes_back": "UPDATE replacements_replacement SET state = 'cancelled'",
    "replacements_belong_to_the_child": (
        "UPDATE replacements_replacement SET student_id = (SELECT max(id) FROM registry_student)"
    ),
    "replacements_handed_out_have_a_card": (
        "UPDATE replacements_replacement SET state = 'handed_out', delivered_at = NULL"
    ),
}


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.name)
def test_a_violation_is_seen(invariant: Invariant, family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    family.pays(made)
    family.sweep(made)
    family.child()
    before = check(invariant)
    assert before.violated == 0, before
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DAMAGE.get(invariant.name, "UPDATE replacements_replacement SET state = 'draft'"))
        after = check(invariant)
        transaction.set_rollback(True)
    if invariant.name.startswith("replacements_"):
        assert (after.violated, after.checked > 0) == (1, True)

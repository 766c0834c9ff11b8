"""Every step of an entitlement that the table allows and no other; every invariant finds what it is for."""

import psycopg
import pytest
from django.db import connection, transaction

from tests.support.machines import assert_every_pair_in_a_table
from tests.unit.welfare.conftest import SYSTEM, Platform, word
from xueka.contexts.cards import api as cards
from xueka.contexts.welfare import api as welfare
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check


def test_every_event_in_every_state(db: None) -> None:
    assert_every_pair_in_a_table(welfare.ENTITLEMENT)


#: The wrong is done as the owner of the tables, with every guard switched off.
TABLES = ["cards_card", "welfare_entitlement", "history_transition"]
VIOLATIONS = {
    "entitlement_state_equals_last_history_row": "UPDATE welfare_entitlement SET state = 'ended'",
    "entitlement_steps_allowed": "UPDATE history_transition SET to_state = 'x' WHERE machine = 'entitlement'",
    "welfare_told_cards_have_a_number": "UPDATE cards_card SET beijing_tong_number = ''",
}


@pytest.mark.django_db(transaction=True)
def test_each_invariant_holds_and_finds_its_violation(platform: Platform, card: cards.Card) -> None:
    with transaction.atomic():
        welfare.walk()
        welfare.hear_entitlement(SYSTEM, word(card, 1))
    assert {each.name for each in welfare.INVARIANTS} == set(VIOLATIONS)
    for each in welfare.INVARIANTS:
        assert check(each).violated == 0, each.name
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in TABLES:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert owner.execute(VIOLATIONS[each.name]).rowcount
            row = owner.execute(each.sql).fetchone()
            owner.rollback()
        assert row and row[0] and row[1], each.name

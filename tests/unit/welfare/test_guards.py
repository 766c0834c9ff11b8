"""Every step of an entitlement that the table allows and no other; every invariant finds what it is for."""

import random
from collections.abc import Sequence
from itertools import count

import psycopg
import pytest
from django.db import connection, transaction

from tests.support.machines import assert_every_pair
from tests.unit.welfare.conftest import SYSTEM, Platform, word
from xueka.contexts.cards import api as cards
from xueka.contexts.welfare import api as welfare
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.history.services import apply, begin
from xueka.platform.invariants import check


def test_every_event_in_every_state(db: None) -> None:
    machine = welfare.ENTITLEMENT
    ids = count(10_000_000 + random.Random(machine.name).randrange(1000))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE thing (id bigint PRIMARY KEY, state text)")

    class Meta:
        db_table = "thing"
        fields: Sequence[object] = ()

    class Thing:
        _meta = Meta

    def try_event(event: str, state: str, to: str | None) -> str:
        id_ = next(ids)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO thing VALUES (%s, %s)", [id_, state])
            begin(machine, [id_], SYSTEM)
            apply(machine, Thing, [id_], event, SYSTEM, to=to)  # type: ignore[arg-type]
            cursor.execute("SELECT state FROM thing WHERE id = %s", [id_])
            return str(cursor.fetchone()[0])

    allowed, refused = assert_every_pair(machine, try_event)
    assert allowed and refused


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

"""Every invariant of keys: violated once by direct SQL, and caught."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.keys.conftest import FIRST, NOW, OPERATOR, SECOND, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.identity import services
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in keys.INVARIANTS}
TABLES = ("history_transition", "audit_entry", "keys_key", "keys_keyversion", "keys_keyuse", "keys_ceremony",
          "keys_keychange", "keys_keydelivery")  # fmt: skip
CONSTRAINTS = {
    "keys_keyversion": ("keys_version_of_held_key", "keys_no_foreign_version", "keys_destroyed_is_gone",
                        "keys_version_two_people", "keys_drill_apart", "keys_wrapped_apart"),
    "keys_key": ("keys_foreign_has_owner", "keys_drill_by_name", "keys_parent_apart"),
    "keys_keychange": ("keys_change_two_people",),
    "keys_keydelivery": ("keys_delivery_two_people",),
}  # fmt: skip
VIOLATIONS = {
    "key_version_state_equals_last_history_row": "UPDATE keys_keyversion SET state = 'retired'"
    " WHERE state = 'verify_only'",
    "key_version_steps_allowed": "UPDATE history_transition SET to_state = 'retired'"
    " WHERE machine = 'key_version' AND event = 'supersede'",
    "key_change_state_equals_last_history_row": "UPDATE keys_keychange SET state = 'withdrawn'",
    "key_change_steps_allowed": "UPDATE history_transition SET event = 'withdraw'"
    " WHERE machine = 'key_change' AND event = 'confirm'",
    "key_delivery_state_equals_last_history_row": "UPDATE keys_keydelivery SET state = 'lost', kcv = '',"
    " arrived_by = ''",
    "key_delivery_steps_allowed": "UPDATE history_transition SET event = 'lose'"
    " WHERE machine = 'key_delivery' AND event = 'arrive'",
    "keys_parts_are_gone": "UPDATE keys_keypart SET sealed = 'x', kcv = 'abcdef', entered_at = now()",
    "keys_deliveries_arrived_right": "UPDATE keys_keydelivery SET kcv = 'abcdef'",
    "keys_derived_from_their_source": "UPDATE keys_keyversion SET derived_from_id ="
    " (SELECT id FROM keys_keyversion WHERE origin = 'generated' AND algorithm = '3des' LIMIT 1)"
    " WHERE origin = 'derived'",
    "keys_one_active_version": "UPDATE keys_keyversion SET state = 'active' WHERE state = 'verify_only'",
    "keys_versions_are_held": "UPDATE keys_keyversion SET block = NULL, handle = '' WHERE state = 'active'",
    "keys_destroyed_leave_their_store": "INSERT INTO keys_removal (version_id, store, handle, asked_at)"
    " SELECT id, store, 'x', now() FROM keys_keyversion WHERE state = 'active' LIMIT 1",
    "keys_foreign_never_held": "UPDATE keys_key SET owner = '' WHERE NOT held",
    "keys_drill_stays_apart": "UPDATE keys_key SET drill = true WHERE label = 'education.mf.control'",
    "keys_changes_have_two_people": "UPDATE keys_keyversion SET confirmed_by = asked_by WHERE number = 2",
    "keys_uses_are_audited": "UPDATE keys_keyuse SET subject = 'another'",
    "keys_used_while_usable": "UPDATE keys_keyuse SET at = at - interval '1 day'",
    "keys_ceremonies_are_chained": "UPDATE keys_ceremony SET transcript_digest = repeat('0', 64)",
}


def delivered(label: str) -> None:
    plan = {
        "version": 2,
        "receiver_kind": "bureau",
        "receivers": "卡厂",
        "way": "block",
        "due_on": "2026-03-09",
    }
    with transaction.atomic():
        changed("deliver", label, **plan)
        [row] = keys.deliveries(FIRST.scope)
        keys.send_delivery(FIRST, row.number, "MY26-0001")
        keys.delivery_arrives(SECOND, row.number, row.version.kcv)


def brought_back(label: str) -> None:
    """Components were asked for, and then not wanted."""
    with transaction.atomic():
        for name in ("first", "second"):
            services.create_user(SYSTEM, name, name, "key_custodian")
        asked = keys.ask(FIRST, "components", label, "接管", {"kcv": "abcdef", "people": ["first", "second"]})
        keys.withdraw(FIRST, asked.number)


@pytest.fixture
def used(transactional_db: None) -> Iterator[None]:
    with clock.at(NOW):
        with transaction.atomic():
            keys.make_demo_keys()
        changed("rotate", "education.mf.control")
        delivered("education.mf.control")
        brought_back("education.mf.maintain")
        with transaction.atomic():
            keys.card_keys(OPERATOR, [("education.mf.control", None)], [bytes(8)], purpose="x", subject="C1")
        yield


def test_each_holds_and_each_violation_is_caught(used: None) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated or not result.checked} == {}
    missed = {}
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in TABLES:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for table, names in CONSTRAINTS.items():
                for constraint in names:
                    owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
            owner.execute("DROP INDEX IF EXISTS keys_one_active")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}


def test_an_audit_entry_of_a_use_without_the_use_is_caught(used: None) -> None:
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        owner.execute("ALTER TABLE keys_keyuse DISABLE TRIGGER USER")
        owner.execute("DELETE FROM keys_keyuse WHERE usage <> 'derive'")
        row = owner.execute(ALL["keys_uses_are_audited"].sql).fetchone()
        owner.rollback()
    assert row is not None
    assert row[1] == 1

"""Every invariant of this context: it holds, checked something, and is caught when it is violated by SQL."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction

from tests.support.blanks import SYSTEM
from tests.support.finishing import finish
from tests.unit.cards.conftest import NOW, build
from tests.unit.personalization.conftest import FIRST, SECOND, Counter, an_agent, in_force
from tests.unit.personalization.test_scripts import script_text
from xueka.contexts.keys import api as keys
from xueka.contexts.numbers import api as numbers
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import Session
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

ALL = {invariant.name: invariant for invariant in personalization.INVARIANTS}
TABLES = (
    "history_transition", "personalization_session", "personalization_run", "personalization_cardkeyversion",
    "personalization_cardprofile", "numbers_blank", "cards_card", "printing_printjob",
)  # fmt: skip
GONE = (
    "ALTER TABLE personalization_cardprofile DROP CONSTRAINT personalization_profile_two_people",
    "DROP INDEX personalization_chip_once",
    "ALTER TABLE numbers_blank DROP CONSTRAINT numbers_blank_and_card",
)
VIOLATIONS = {
    "card_profile_state_equals_last_history_row": "UPDATE personalization_cardprofile SET state = 'retired'",
    "card_script_state_equals_last_history_row": "UPDATE personalization_cardscript SET state = 'retired'",
    "issuing_agent_state_equals_last_history_row": "UPDATE personalization_agent SET state = 'blocked'",
    "personalization_state_equals_last_history_row": "UPDATE personalization_session SET state = 'void'"
    " WHERE state = 'verified'",
    "personalization_steps_allowed": "UPDATE history_transition SET from_state = 'void'"
    " WHERE machine = 'personalization' AND event = 'prove'",
    "personalization_no_session_without_intent": "DELETE FROM personalization_run WHERE seq = 1",
    "personalization_card_agrees_with_session": "UPDATE cards_card SET chip_uid = 'ABCDEF01'",
    "personalization_stock_agrees": "UPDATE numbers_blank SET state = 'in_stock', card_id = NULL",
    "personalization_blanks_of_their_counter": "UPDATE numbers_blank SET counter = '110119'",
    "personalization_chip_written_once": "UPDATE personalization_session SET chip_uid = '04'",
    "personalization_finished_is_proved": "UPDATE printing_printjob SET plastic = ''",
    "personalization_lineage_complete": "DELETE FROM personalization_cardkeyversion"
    " WHERE role = 'education.internal'",
    "personalization_two_people": "UPDATE personalization_cardprofile SET approved_by = submitted_by",
}


@pytest.fixture
def written(transactional_db: None) -> Iterator[None]:
    """Two cards written, one plastic void, all from a lot; a script in force."""
    with clock.at(NOW):
        with transaction.atomic():
            keys.make_demo_keys()
        counter = Counter(build(), an_agent(), in_force("bjt_student-1.0.toml"))
        with transaction.atomic():
            lines = "".join(f"{place},04A1B2C300000{place}\n" for place in (1, 2, 3))
            numbers.import_blank_lot(FIRST, ("序号,芯片UID\n" + lines).encode(), "L1", "公司", "甲")
            script = personalization.load_script(FIRST, script_text("field").encode())
            personalization.submit(FIRST, personalization.SCRIPTS, script.pk)
            personalization.approve(SECOND, personalization.SCRIPTS, script.pk)
            personalization.put_in_force(FIRST, personalization.SCRIPTS, script.pk)
        for place in (1, 2, 3):
            counter.open()
            plastic = counter.blank(uid=f"04A1B2C300000{place}")
            if place == 3:
                plastic.system.card.endurance = plastic.system.card.writes + 4
            assert counter.lay_down(plastic) == ("void" if place == 3 else "verified")
        with transaction.atomic():
            finish(SYSTEM, Session.objects.filter(state="verified").earliest("id").card_id)
        yield


def test_each_holds_and_each_violation_is_caught(written: None) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert [result for result in results.values() if result.violated or not result.checked] == []
    missed = {}
    for name, invariant in ALL.items():
        with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
            for table in TABLES:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for statement in GONE:
                owner.execute(statement)
            owner.execute(
                "ALTER TABLE personalization_run DROP CONSTRAINT IF EXISTS personalization_run_once"
            )
            owner.execute("DROP INDEX IF EXISTS cards_chip_once")
            assert owner.execute(VIOLATIONS[name]).rowcount > 0, name
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
        if not row or not 0 < row[1] <= row[0]:
            missed[name] = row
    assert missed == {}
    assert set(VIOLATIONS) == set(ALL)

"""Every invariant of cards and numbers: violated once by direct SQL, and caught."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction
from psycopg import sql

from tests.unit.cards.conftest import KIND, NOW, City, build, destroy
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import CardKind
from xueka.contexts.numbers import api as numbers
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import Invariant, check

ELSEWHERE = {"numbers_counter_stock_adds_up"}  # unit/numbers/test_counters.py has the slips for it
ALL = {each.name: each for each in [*cards.INVARIANTS, *numbers.INVARIANTS] if each.name not in ELSEWHERE}

#: The wrong is done as the owner of the tables, with every guard of the database switched off.
VIOLATIONS = {
    "account_state_equals_last_history_row": (
        "UPDATE cards_cardaccount SET state = 'closed' WHERE id = {account}"
    ),
    "application_state_equals_last_history_row": (
        "DELETE FROM history_transition"
        " WHERE machine = 'application' AND object_id = {application} AND seq = 2"
    ),
    "card_state_equals_last_history_row": "UPDATE cards_card SET state = 'lost' WHERE id = {active}",
    "cards_one_live_per_student_and_kind": "UPDATE cards_card SET state = 'active' WHERE id = {replaced}",
    "cards_belong_to_one_account": "UPDATE cards_card SET account_id = account_id + 1 WHERE id = {planned}",
    "cards_production_has_one_good_card": "UPDATE cards_card SET state = 'void' WHERE id = {planned}",
    "cards_live_card_has_a_fulfilled_application": (
        "UPDATE cards_application SET state = 'cancelled' WHERE id = {application}"
    ),
    "cards_numbers_equal_their_records": (
        "UPDATE numbers_numberuse SET state = 'spoiled' WHERE card_id = {active}"
    ),
    "cards_every_number_is_on_its_card": (
        "UPDATE cards_card SET beijing_tong_number = 'BJTX' || id WHERE id = {active}"
    ),
    "cards_blank_is_in_its_card": "UPDATE numbers_blank SET state = 'used' WHERE card_id = {bound}",
    "numbers_ranges_do_not_overlap": (
        "INSERT INTO numbers_numberrange (sort, issuer, document, prefix, width, first, last, next_serial,"
        " low_water, is_open, received_at, received_by)"
        " VALUES ('transit', 'x', '', '1000750', 9, 5, 5, 5, 0, true, now(), 'x')"
    ),
    "numbers_no_gap_in_a_range": (
        "DELETE FROM numbers_numberuse WHERE sort = 'transit' AND card_id = {active}"
    ),
    "numbers_each_given_once": (
        "UPDATE numbers_numberuse SET number = '10007500' || lpad((serial + 1)::text, 8, '0')"
        " WHERE sort = 'transit' AND card_id = {active}"
    ),
    "numbers_blank_agrees_with_its_number": (
        "UPDATE numbers_numberuse SET state = 'spoiled' WHERE sort = 'transit' AND card_id = {bound}"
    ),
    "destruction_state_equals_last_history_row": "UPDATE cards_destruction SET state = 'collecting'",
    "cards_destroyed_by_a_signed_list": "UPDATE cards_card SET state = 'cancelled' WHERE id = {destroyed}",
    "cards_destruction_counts_its_cards": "UPDATE cards_destruction SET card_count = 7",
    "cards_application_knows_its_rules": (
        "UPDATE cards_application SET kind_version = 9 WHERE id = {application}"
    ),
    "initialisation_state_equals_last_history_row": ("UPDATE numbers_initialisation SET state = 'cancelled'"),
    "numbers_hand_overs_add_up_to_their_order": "UPDATE numbers_initialisation SET state = 'received'",
    "numbers_no_more_of_a_lot_is_out_than_it_has": "UPDATE numbers_blanklot SET quantity = 0",
    "numbers_lot_is_complete": "DELETE FROM numbers_blank WHERE card_id IS NULL",
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ids(transactional_db: None) -> Iterator[dict[str, int]]:
    """A city with cards in every corner, committed, so that the owner's connection sees it too."""
    with clock.at(NOW), transaction.atomic():
        found = _populate(build())
    yield found


def _populate(city: City) -> dict[str, int]:
    [replaced, active] = city.active(city.students(2))
    student = cards.card(city.system.scope, replaced).student_id
    city.active([student], reason="damaged")
    [planned] = [card.id for card in city.planned(city.students(1))]
    lot = "position,uid,transit_number\n1,0000000A,1000990000000001\n2,0000000B,1000990000000002\n"
    numbers.import_blank_lot(city.operator, lot.encode(), "L1", "一卡通公司", "张三")
    CardKind.objects.filter(code=KIND).update(transit_source="bind")
    [bound] = [card.id for card in city.planned(city.students(1))]
    card = cards.card(city.system.scope, active)
    CardKind.objects.filter(code=KIND).update(transit_source="allocate")
    [destroyed] = city.active(city.students(1))
    cards.cancel(city.system, destroyed, "离校")
    destroy(city.operator, [destroyed])
    order = numbers.plan(city.operator, "一卡通公司", 9, NOW.date(), NOW.date())
    slip = numbers.Slip(1, "甲", "乙", "交 1", counterparty="对方")
    numbers.hand_over(city.operator, "send", slip, order=order.number)
    numbers.hand_over(city.operator, "to_bureau", slip, lot="L1")
    return {
        "destroyed": destroyed,
        "replaced": replaced,
        "active": active,
        "planned": planned,
        "bound": bound,
        "account": card.account_id,
        "application": card.application_id,
    }


def test_each_holds_and_has_checked_something(ids: dict[str, int]) -> None:
    results = {name: check(invariant) for name, invariant in ALL.items()}
    assert {name: result for name, result in results.items() if result.violated} == {}
    assert [name for name, result in results.items() if not result.checked] == []
    assert len({result.title for result in results.values()}) == len(ALL)


def test_each_violation_is_caught(ids: dict[str, int]) -> None:
    missed = {}
    for name, invariant in ALL.items():
        checked, violated, examples = _violated(invariant, VIOLATIONS[name].format(**ids))
        if not (0 < violated <= checked and examples):
            missed[name] = (checked, violated, examples)
    assert missed == {}


def _violated(invariant: Invariant, statement: str) -> tuple[int, int, list[str]]:
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**address.parameters(Role.OWNER, name)) as owner:
        _drop_guards(owner)
        done = owner.execute(statement)  # type: ignore[arg-type]
        assert done.rowcount > 0
        row = owner.execute(invariant.sql).fetchone()  # type: ignore[arg-type]
        owner.rollback()
    assert row is not None
    return row


def _drop_guards(owner: psycopg.Connection) -> None:
    tables = ["cards_cardaccount", "cards_application", "cards_card", "history_transition"]
    tables += ["cards_destruction", "cards_destructioncard"]
    tables += ["numbers_numberrange", "numbers_numberuse", "numbers_blank"]
    for table in tables:
        owner.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
    owner.execute("DROP INDEX cards_one_live_per_kind, cards_one_good_per_application")
    owner.execute("ALTER TABLE numbers_numberuse DROP CONSTRAINT numbers_each_once")

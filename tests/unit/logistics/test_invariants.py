"""Every invariant of boxes and deliveries: violated once by direct SQL, and caught."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection, transaction

from tests.unit.cards.conftest import NOW, City, build
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db(transaction=True)

ALL = {invariant.name: invariant for invariant in logistics.INVARIANTS}
VIOLATIONS = {
    "delivery_state_equals_last_history_row": "UPDATE logistics_delivery SET state = 'cancelled'",
    "box_state_equals_last_history_row": "UPDATE logistics_box SET state = 'lost' WHERE id = {road}",
    "box_cards_are_where_their_box_is": "UPDATE logistics_box SET state = 'packed' WHERE id = {road}",
    "cards_on_the_way_lie_in_a_box": "UPDATE logistics_boxcard SET is_here = false WHERE box_id = {road}",
    "boxes_hold_cards_of_their_school": (
        "UPDATE logistics_box SET school_id = school_id - 1 WHERE id = {road}"
    ),
    "boxes_count_their_cards": "UPDATE logistics_box SET card_count = card_count + 1 WHERE id = {road}",
}


@pytest.fixture
def road(transactional_db: None) -> Iterator[int]:
    """A box on the road and one that was received short, committed."""
    with clock.at(NOW), transaction.atomic():
        city = build()
        _dispatched(city, school=1)
        short = _dispatched(city, school=0)
        inside = [place.card.number for place in logistics.contents(short)]
        logistics.receive_box(city.officer, short.number, inside[1:])
        found = _dispatched(city, school=2)
    yield found.id


def _dispatched(city: City, *, school: int) -> logistics.Box:
    ids = [card.id for card in city.planned(city.students(2, school))]
    cards.order_cards(city.system, ids)
    cards.confirm_made(city.system, [(id_, f"{id_:014X}") for id_ in ids])
    [delivery] = logistics.prepare_deliveries(city.operator)
    logistics.dispatch(city.operator, delivery.id, carrier="顺丰", waybill="SF1")
    return logistics.boxes_of(delivery).get()


def test_each_holds_and_has_checked_something(road: int) -> None:
    results = [check(invariant) for invariant in ALL.values()]
    assert [result for result in results if result.violated or not result.checked] == []


def test_each_violation_is_caught(road: int) -> None:
    assert set(VIOLATIONS) == set(ALL)
    missed = []
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        for name, statement in VIOLATIONS.items():
            assert owner.execute(statement.format(road=road)).rowcount  # type: ignore[arg-type]
            row = owner.execute(ALL[name].sql).fetchone()  # type: ignore[arg-type]
            owner.rollback()
            if row is None or not 0 < row[1] <= row[0] or not row[2]:
                missed.append((name, row))
    assert missed == []

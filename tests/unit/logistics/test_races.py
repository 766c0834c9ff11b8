"""A receipt being signed while cards are handed out: whoever comes second sees what the first has found."""

from collections.abc import Iterator
from threading import Event

import pytest
from django.db import connection

from tests.unit.cards.conftest import NOW, City, build
from tests.unit.cards.test_races import alone, codes, together, turn, wait_for_a_waiting_one
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def city(transactional_db: None) -> Iterator[City]:
    with clock.at(NOW):
        yield build()


def _on_the_road(city: City) -> logistics.Box:
    planned = [card.id for card in city.planned(city.students(3))]
    cards.order_cards(city.system, planned)
    cards.confirm_made(city.system, [(id_, f"{id_:014X}") for id_ in planned])
    [delivery] = logistics.prepare_deliveries(city.operator)
    logistics.dispatch(city.operator, delivery.id, carrier="顺丰", waybill="SF1")
    return logistics.boxes_of(delivery).get()


def test_a_card_found_damaged_in_the_same_moment_is_not_handed_out(city: City) -> None:
    box = alone(lambda: _on_the_road(city))
    inside = [place.card for place in logistics.contents(box)]
    found = Event()

    def receives_slowly() -> logistics.Receipt:
        receipt = logistics.receive_box(
            city.officer, box.number, [card.number for card in inside], [inside[0].number]
        )
        found.set()
        connection.cursor().execute("SELECT pg_sleep(0.3)")
        return receipt

    def hands_out() -> cards.BulkResult:
        found.wait(10)
        return logistics.hand_out(city.officer, [card.id for card in inside])

    assert codes(together(receives_slowly, hands_out)) == ["DISCREPANCY_OPEN", "done", "done", "done"]
    assert cards.Card.objects.get(id=inside[0].id).state == "at_school"
    for invariant in [*cards.INVARIANTS, *logistics.INVARIANTS]:
        assert check(invariant).violated == 0, invariant.name


def test_cards_are_packed_while_their_school_goes_into_another_one(city: City) -> None:
    students = city.students(2, school=1)
    made = [card.id for card in city.planned(students)]
    alone(lambda: cards.order_cards(city.system, made))
    alone(lambda: cards.confirm_made(city.system, [(id_, f"{id_:014X}") for id_ in made]))
    here, there = (city.schools[at].classes.get().id for at in (1, 0))
    moves = registry.Moves(students, [here] * 2, ["在校"] * 2, [there] * 2, ["在校"] * 2)
    moved = Event()

    def merges() -> None:
        turn(city, moves)
        moved.set()
        wait_for_a_waiting_one()

    def packs() -> None:
        moved.wait(10)
        logistics.prepare_deliveries(city.operator)

    assert codes(together(merges, packs)) == ["done", "done"]
    assert logistics.Box.objects.get().school_id == city.schools[0].id
    for invariant in [*cards.INVARIANTS, *logistics.INVARIANTS]:
        assert check(invariant).violated == 0, invariant.name

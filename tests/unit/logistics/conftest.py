"""Cards fresh from the bureau, in the small city of the cards' tests."""

from collections.abc import Callable

import pytest

from tests.unit.cards.conftest import City, city
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics

__all__ = ["Make", "box_on_the_road", "city", "made"]

Make = Callable[..., list[cards.Card]]


@pytest.fixture
def made(city: City) -> Make:
    """`made(3, school=1)`: so many cards of that school, made and waiting for packing."""

    def make(number: int = 3, school: int = 0) -> list[cards.Card]:
        planned = city.planned(city.students(number, school))
        ids = [card.id for card in planned]
        cards.order_cards(city.system, ids)
        cards.confirm_made(city.system, [(id_, f"{id_:014X}") for id_ in ids])
        return list(cards.Card.objects.filter(id__in=ids).order_by("id"))

    return make


@pytest.fixture
def box_on_the_road(city: City, made: Make) -> logistics.Box:
    """One dispatched box with three cards of the first school."""
    made(3)
    [delivery] = logistics.prepare_deliveries(city.operator)
    logistics.dispatch(city.operator, delivery.id, carrier="顺丰", waybill="SF1")
    return logistics.boxes_of(delivery).get()

"""Every event in every state of deliveries and boxes."""

import pytest
from django.db import transaction

from tests.support.machines import assert_every_pair
from tests.unit.cards.conftest import City
from tests.unit.logistics.conftest import Make
from xueka.contexts.logistics import api as logistics
from xueka.kernel.machine import Machine
from xueka.platform.history.services import apply


@pytest.mark.parametrize(
    ("machine", "model"), [(logistics.DELIVERY, logistics.Delivery), (logistics.BOX, logistics.Box)]
)
def test_every_pair(city: City, made: Make, machine: Machine, model: type) -> None:
    made(1)
    [delivery] = logistics.prepare_deliveries(city.operator)
    found = delivery if model is logistics.Delivery else logistics.boxes_of(delivery).get()

    def try_event(event: str, source: str, to: str | None) -> str:
        model.objects.filter(id=found.id).update(state=source)
        with transaction.atomic():
            apply(machine, model, [found.id], event, city.system, to=to)
        found.refresh_from_db()
        return found.state

    def still() -> str:
        found.refresh_from_db()
        return found.state

    allowed, refused = assert_every_pair(machine, try_event, still=still)
    assert allowed and refused

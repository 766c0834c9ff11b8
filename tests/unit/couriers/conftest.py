"""Families and boxes of the small city, with SF and kuaidi100 beside them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import transaction

from tests.support.couriers import Desk, couriers_beside, sweep
from tests.unit.replacements.conftest import Families, family, in_memory
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.replacements import api as replacements
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

__all__ = ["family", "in_memory"]

COUNTER = Actor.in_role("c", "秦朗", "counter_operator", Scope("district", "110101"))
OPERATOR = Actor.in_role("o", "安宁", "city_operator", Scope("city"))


@pytest.fixture
def desk(family: Families, tmp_path: Path, settings: LazySettings) -> Iterator[Desk]:
    with couriers_beside(tmp_path / "couriers", settings, family.time) as made:
        yield made


def ready_to_post(family: Families) -> tuple[replacements.Replacement, cards.Card]:
    """A card for the post, made at a counter."""
    made = family.handed_in(family.child(), delivery="home")
    family.accepted(made)
    family.sweep(made)
    with transaction.atomic():
        card = cards.issue_at_counter(family.city.system, made.application_id)
    family.sweep(made)
    with transaction.atomic():
        cards.finish_at_counter(family.city.system, card.id, f"04{card.id:06X}")
    assert family.sweep(made) == "to_post"
    return made, card


def ordered(made: replacements.Replacement) -> couriers.Shipment:
    """One click at the counter; the courier has answered."""
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
    couriers.call(shipment.id)
    shipment.refresh_from_db()
    assert shipment.state == "ordered"
    return shipment


def state(thing: couriers.Shipment | replacements.Replacement) -> str:
    thing.refresh_from_db()
    return thing.state


def asked(desk: Desk, minutes: float) -> None:
    """Time goes by, a push hints, the courier is asked."""
    desk.later(minutes)
    desk.push()
    sweep()

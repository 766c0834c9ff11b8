"""The welfare-card platform beside a small city: the simulator's house in this process, on its own port."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from tests.unit.cards.conftest import City, city
from tests.unit.interop.conftest import LIMITS
from tests.unit.transit.conftest import Company
from xueka.contexts.cards import api as cards
from xueka.contexts.welfare import api as welfare
from xueka.kernel import clock
from xueka.platform.exchange.applying import Message
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.sandbox.exchange.__main__ import House, parser

__all__ = ["City", "city"]
CODE = "welfare"
DATASETS = "entitled-cards,entitlements"
SYSTEM = Actor.system("test")
OPERATOR = Actor.in_role("op", "op", "city_operator", Scope("city"))


@dataclass
class Platform(Company):
    """The simulator, with what it holds and what it is told."""

    def book(self) -> dict[tuple[str, str], tuple[str, int]]:
        found = self.house.store.all("select * from entitlement")
        return {(row["card"], row["kind"]): (row["state"], row["version"]) for row in found}

    def tick(self) -> None:
        """One round of the worker's sweeps, and all that both sides have to say."""
        with transaction.atomic():
            welfare.follow()
        with transaction.atomic():
            welfare.walk()
        self.talk(2)


@pytest.fixture
def platform(city: City, tmp_path: Path, settings: Any) -> Iterator[Platform]:
    settings.EXCHANGE_PARTNERS = tmp_path
    given = ["--home", str(tmp_path / CODE), "--code", CODE, "--datasets", DATASETS, "--limits", LIMITS]
    house = House(parser().parse_args(given))
    house.start()
    house.notices.stop()  # the tests carry its letters
    house.clock.set(clock.now().isoformat())
    yield Platform(house, counterpart(CODE))
    house.stop()


@pytest.fixture
def card(city: City) -> cards.Card:
    return numbered(city, 1)[0]


def numbered(city: City, count: int) -> list[cards.Card]:
    """Cards in their students' hands, each with a Beijing-Tong number."""
    found = list(cards.Card.objects.filter(id__in=city.active(city.students(count))).order_by("id"))
    assert all(each.beijing_tong_number for each in found)
    return found


def word(card: cards.Card, version: int, state: str = "active", /, **more: object) -> Message:
    """`entitlement.changed` of one card, as the platform would say it."""
    data: dict[str, object] = {
        "card": card.number,
        "beijing_tong_number": card.beijing_tong_number,
        "kind": "museum",
        "state": state,
        "valid_from": "2026-09-01",
        "valid_until": "2027-08-31",
        "reason": "" if state == "active" else "核查",
        "version": version,
        "as_of": "2026-10-09T08:30:00+08:00",
    }
    return Message(
        CODE, f"m{version}", "entitlement.changed", f"card:{card.number}", version, None, data | more
    )

"""The transit company beside a small city: the simulator's house in this process, on a port of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.unit.cards.conftest import City, city
from tests.unit.interop.conftest import LIMITS, send
from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.crypto.fields import seal
from xueka.platform.exchange.applying import apply_due
from xueka.platform.exchange.counterparts import Counterpart, counterpart
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.sandbox.exchange.__main__ import House, parser

__all__ = ["City", "city"]
CODE = "transit"
SYSTEM = Actor.system("test")
OPERATOR = Actor.in_role("op", "op", "city_operator", Scope("city"))


@dataclass
class Company:
    """The simulator: `partner` is what we know of it."""

    house: House
    partner: Counterpart

    def dial(self, **change: Any) -> None:
        self.house.dial.turn(change)

    def fare(self, card: cards.Card, until: str | None, *, fare: str = "student", tell: bool = False) -> None:
        assert self.house.desk
        self.house.desk.put_fare(card.number, card.transit_number, fare, until, tell=tell)

    def later(self, seconds: int) -> None:
        """Its clock goes on with ours."""
        self.house.clock.set((clock.now() + timedelta(seconds=seconds)).isoformat())

    def applied(self) -> list[tuple[str, str]]:
        rows = self.house.store.all("select key, kind from applied order by number")
        return [(row["key"], row["kind"]) for row in rows]

    def deliver(self) -> list[int]:
        """Everything that waits there, brought to our door and applied; the statuses."""
        statuses = []
        for row, letter in self.house.notices.take(all=True):
            answer = Client().post(
                urlsplit(letter.url).path,
                letter.body,
                content_type="application/json",
                headers={
                    name: value for name, value in letter.headers.items() if name.startswith("webhook-")
                },
            )
            self.house.notices.answered(row["id"], answer.status_code, answer.content)
            statuses.append(answer.status_code)
        apply_due()
        return statuses

    def talk(self, rounds: int = 4) -> None:
        """Both sides until nothing is left to say."""
        for _ in range(rounds):
            send()
            self.deliver()


@pytest.fixture
def company(city: City, tmp_path: Path, settings: Any) -> Iterator[Company]:
    settings.EXCHANGE_PARTNERS = tmp_path
    house = House(parser().parse_args(["--home", str(tmp_path / CODE), "--code", CODE, "--limits", LIMITS]))
    house.start()
    house.notices.stop()  # the tests carry its letters
    house.clock.set(clock.now().isoformat())
    assert json.loads((tmp_path / CODE / "partner.json").read_text())["code"] == CODE
    yield Company(house, counterpart(CODE))
    house.stop()


@pytest.fixture
def card(city: City) -> cards.Card:
    [card_id] = city.active(city.students(1))
    return cards.Card.objects.get(id=card_id)


def documented(student_ids: list[int]) -> None:
    """These students have an identity document."""
    for at, id_ in enumerate(student_ids):
        sealed = seal({"id_type": "居民身份证", "id_number": f"1101012015030700{17 + at}"})
        registry.Student.objects.filter(id=id_).update(envelope=sealed)

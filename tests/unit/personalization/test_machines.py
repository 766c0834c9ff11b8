"""Every (event, state) pair of profiles, scripts, agents and sessions, and walks through them by chance."""

import random
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.db import models

from tests.support.machines import assert_every_pair, random_walk
from tests.support.size import dial
from tests.unit.cards.conftest import NOW
from tests.unit.personalization.conftest import SYSTEM, Counter
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import Agent, CardProfile, CardScript, Session
from xueka.kernel.machine import Machine
from xueka.platform.crypto import fields
from xueka.platform.history import services as history

SERIAL = count(1)
WALKS = dial(8, 10_000)


class Thing:
    """An object that is made anew in the state that an event wants."""

    def __init__(self, machine: Machine, model: type[models.Model], make: Callable[[str], Any]) -> None:
        self.machine, self.model, self.make = machine, model, make
        self.row: Any = None

    def fire(self, event: str, state: str, to: str | None) -> str:
        if self.row is None or self.row.state != state:
            self.row = self.make(state)
            history.begin(self.machine, [self.row.pk], SYSTEM)
        history.apply(self.machine, self.model, [self.row.pk], event, SYSTEM, to=to)
        return self.still()

    def still(self) -> str:
        self.row.refresh_from_db()
        return str(self.row.state)


def _reviewed(state: str) -> dict[str, Any]:
    return {
        "state": state, "state_at": NOW, "created_at": NOW, "created_by": "a", "submitted_by": "a",
        "approved_by": "b", "code": f"p{next(SERIAL)}", "version": "1.0", "title": "试验", "kinds": [],
        "text": "", "sm3": bytes(32),
    }  # fmt: skip


def profile(state: str) -> CardProfile:
    return CardProfile.objects.create(algorithm="3des", **_reviewed(state))


def script(state: str) -> CardScript:
    more = {"application": "transit", "stage": "field", "starts_on": NOW.date(), "source": "试验"}
    return CardScript.objects.create(**more, **_reviewed(state))


def agent(state: str) -> Agent:
    number = next(SERIAL)
    return Agent.objects.create(
        code=f"a-{number}", name="试验", public_key=number.to_bytes(32, "big"), version="1", state=state,
        state_at=NOW, enrolled_at=NOW, enrolled_by="a",
    )  # fmt: skip


def session(state: str) -> Session:
    number = next(SERIAL)
    return Session.objects.create(
        purpose="upgrade", profile=profile("retired"), agent=agent("enrolled"), reader=f"r{number}",
        state=state, state_at=NOW, opened_at=NOW, opened_by="a", values=fields.seal({}),
        chip_uid=f"{number:014X}",
    )  # fmt: skip


THINGS: dict[str, tuple[Machine, type[models.Model], Callable[[str], Any]]] = {
    "profile": (personalization.PROFILE, CardProfile, profile),
    "script": (personalization.SCRIPT, CardScript, script),
    "agent": (personalization.AGENT, Agent, agent),
    "session": (personalization.SESSION, Session, session),
}


@pytest.mark.parametrize("name", THINGS)
def test_every_event_in_every_state(db: None, name: str) -> None:
    thing = Thing(*THINGS[name])
    allowed, refused = assert_every_pair(thing.machine, thing.fire, still=thing.still)
    assert allowed + refused == len(thing.machine.event_codes) * len(thing.machine.states)


@pytest.mark.parametrize("name", THINGS)
def test_walks_by_chance(db: None, name: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    for walk in range(WALKS):
        thing = Thing(*THINGS[name])
        random_walk(thing.machine, seed + walk, 10, thing.fire, still=thing.still)


def test_what_ended_never_changes(counter: Counter) -> None:
    """The database refuses it, whoever asks."""
    from django.db import DatabaseError, transaction

    made = counter.open()
    counter.lay_down(counter.blank())
    for change in ({"state": "running"}, {"chip_uid": "04"}, {"card_id": None}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Session.objects.filter(pk=made.pk).update(**change)

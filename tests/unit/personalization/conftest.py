"""A counter in one process: the services, and a hand that plays the agent with a virtual card."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from tests.support.blanks import SYSTEM, from_the_maker, initialise
from tests.unit.cards.conftest import NOW, City, build
from xueka.contexts.cards import api as cards
from xueka.contexts.keys import api as keys
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import Session
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.sandbox.card.system import System

FIRST = Actor.in_role("op-a", "运营甲", "city_operator", Scope("city"))
SECOND = Actor.in_role("op-b", "运营乙", "city_operator", Scope("city"))
CLERK = Actor.in_role("clerk", "柜员", "city_counter_operator", Scope("city"))
DISTRICT = Actor.in_role("d", "区", "district_officer", Scope("district", "110101"))
READER = "Virtual PCD 00 00"
ATR = "3b6800005444534d01020304"
PROFILES = Path(personalization.__file__).parent / "data" / "profiles"

#: (command number, "before" | "after"): the card is pulled before or after it has carried the command out.
Pull = tuple[int, str]


@dataclass
class Plastic:
    """One virtual card, as the maker delivers it or initialised by the profile."""

    uid: str
    system: System
    sent: list[str] = field(default_factory=list)


@dataclass
class Counter:
    """The services and the agent beside them. `reports` counts what the agent sent after its poll."""

    city: City
    agent: personalization.Agent
    profile: personalization.CardProfile
    reports: int = 0
    _chips: "count[int]" = field(default_factory=lambda: count(0x04A1B2C3000001))

    @property
    def parsed(self) -> personalization.Profile:
        return personalization.parse(self.profile.text)

    def ordered(self) -> int:
        """A card that is to be written."""
        [application] = self.city.accepted(self.city.students())
        with transaction.atomic():
            cards.to_counter(SYSTEM, [application])
            return cards.issue_at_counter(SYSTEM, application).pk

    def open(self, card_id: int | None = None, **options: Any) -> Session:
        with transaction.atomic():
            return personalization.open_session(
                CLERK, card_id or self.ordered(), self.agent.pk, READER, **options
            )

    def blank(self, *, initialised: bool = True, uid: str = "") -> Plastic:
        """New plastic with its maker's key; initialised, it holds what the profile says of a blank."""
        uid = uid or f"{next(self._chips):014X}"
        plastic = Plastic(uid, from_the_maker(self.parsed, uid))
        if initialised:
            initialise(self.parsed, uid, plastic.system)
        return plastic

    def poll(self, state: str = "card", *, waiting: bool = False) -> dict[str, Any] | None:
        readers = [personalization.ReaderReport(READER, state, ATR if state == "card" else "")]
        with transaction.atomic():
            personalization.seen(self.agent, "0.1.0", readers, [], "127.0.0.1")
        personalization.note_lost(self.agent, readers, waiting)
        return personalization.next_card_work(self.agent, readers)

    def lay_down(self, plastic: Plastic, pull: Pull | None = None) -> str:
        """The card on the reader until the server has nothing more for it; the state the agent was told."""
        work = self.poll()
        if work is None:
            return ""
        run, state, done = work["run"], "", 0
        while run is not None:
            outcome, answers = "done", []
            if run["reset"]:
                plastic.system.reset()
            for command in run["commands"]:
                if pull and pull == (done, "before"):
                    outcome = "pulled"
                    break
                data, sw = self.send(plastic, command["apdu"])
                done += 1
                if pull and pull == (done - 1, "after"):
                    outcome = "pulled"
                    break
                answers.append((data, sw, 1))
                if not fits(sw, command["expect"]):
                    outcome = "stopped"
                    break
            reply = self.report(work["session"], run["run"], outcome, answers)
            run, state = reply["next"], reply["state"]
        return state

    def send(self, plastic: Plastic, apdu: str) -> tuple[bytes, str]:
        plastic.sent.append(apdu)
        if apdu == "ffca000000":
            return bytes.fromhex(plastic.uid), "9000"
        answer = plastic.system.process(bytes.fromhex(apdu))
        return answer[:-2], answer[-2:].hex()

    def report(
        self, session: str, run: str, outcome: str, answers: list[tuple[bytes, str, int]]
    ) -> dict[str, Any]:
        self.reports += 1
        given = personalization.Report(outcome, ATR, answers)
        return personalization.report(self.agent, int(session), run, given)


def fits(sw: str, expect: list[str]) -> bool:
    return any(re.fullmatch(each.replace("?", "."), sw) for each in expect)


def in_force(name: str) -> personalization.CardProfile:
    with transaction.atomic():
        made = personalization.load_profile(FIRST, (PROFILES / name).read_bytes())
        personalization.submit(FIRST, personalization.PROFILES, made.pk)
        personalization.approve(SECOND, personalization.PROFILES, made.pk)
        personalization.put_in_force(FIRST, personalization.PROFILES, made.pk)
    made.refresh_from_db()
    return made


def an_agent(name: str = "一号柜台", key: bytes = b"\x01" * 32) -> personalization.Agent:
    with transaction.atomic():
        code, _ = personalization.make_code(FIRST)
        agent = personalization.enrol(code, name, key, "0.1.0", "127.0.0.1")
        readers = [personalization.ReaderReport(READER, "empty")]
        personalization.seen(agent, "0.1.0", readers, [], "127.0.0.1")
    return agent


@pytest.fixture
def counter(db: None) -> Iterator[Counter]:
    with clock.at(NOW):
        keys.make_demo_keys()
        yield Counter(build(), an_agent(), in_force("bjt_student-1.0.toml"))


@pytest.fixture
def counter_sm4(db: None) -> Iterator[Counter]:
    with clock.at(NOW):
        keys.make_demo_keys()
        yield Counter(build(), an_agent(), in_force("bjt_student-2.0.toml"))

"""The keys of a demo city and of tests: random, made by a ceremony whose people are played."""

import os
from functools import cache
from importlib.resources import files

from xueka.contexts.keys.domain.ceremony import Person, Plan, read
from xueka.contexts.keys.models import Ceremony, Key
from xueka.contexts.keys.services import ceremonies
from xueka.platform.crypto import card_ciphers
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

#: The one key whose value is no secret: what a card of this family bears when it leaves its maker.
_LEADER, _REVIEWER = "演示主持人", "演示复核人"
BLANK = b"\xff" * 16


def make_demo_keys() -> Ceremony | None:
    """Every key that a demo city needs (data/demo_keys.toml), active, in the caller's transaction.

    None where there are keys already. Never for a real city: the same machine plays all custodians.
    """
    if Key.objects.exists():
        return None
    plan = demo_plan()
    city = Scope("city")
    leader = Actor.in_role(plan.led_by, _LEADER, "key_admin", city)
    reviewer = Actor.in_role(plan.reviewed_by, _REVIEWER, "key_custodian", city)
    return ceremonies.run(leader, reviewer, plan, Players(), lambda person, code: True, left_open=True)


def demo_people() -> dict[str, str]:
    """user name → name of those who are played, for pages that show who did what."""
    plan = demo_plan()
    return {plan.led_by: _LEADER, plan.reviewed_by: _REVIEWER}


@cache
def demo_plan() -> Plan:
    return read(files("xueka.contexts.keys").joinpath("data/demo_keys.toml").read_text("utf-8"))


class Players:
    """Custodians who never mistype. The words of their shares are forgotten with this object."""

    def __init__(self) -> None:
        self._words: dict[str, list[str]] = {}
        self._parts: dict[str, bytes] = {}

    def told(self, text: str) -> None:
        pass

    def prove(self, person: Person, digest: str) -> str:
        return ""

    def take(self, person: Person, words: str) -> None:
        self._words[person.username] = words.split()

    def word(self, person: Person, place: int) -> str:
        return self._words[person.username][place - 1]

    def component(self, person: Person, label: str, size: int) -> tuple[str, str]:
        """The first one draws hers, the second one brings what is missing."""
        first = self._parts.pop(label, None)
        part = os.urandom(size) if first is None else bytes(a ^ b for a, b in zip(first, BLANK, strict=True))
        if first is None:
            self._parts[label] = part
        return part.hex(), card_ciphers.kcv("3des", part)

    def share(self, person: Person) -> str:
        return " ".join(self._words.get(person.username, []))

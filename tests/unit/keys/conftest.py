"""The keys of a demo city, and the two people who may change them."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import transaction

from xueka.contexts.keys import api as keys
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

NOW = datetime.fromisoformat("2026-03-02T10:00:00+08:00")
SYSTEM = Actor.system("test")


def person(name: str, role: str = "key_custodian") -> Actor:
    return Actor.in_role(name, name, role, Scope("city"))


FIRST, SECOND, LEADER = person("first"), person("second"), person("leader", "key_admin")
OPERATOR = person("operator", "city_operator")


@pytest.fixture
def demo_keys(db: None) -> Iterator[keys.Ceremony]:
    with clock.at(NOW):
        with transaction.atomic():
            made = keys.make_demo_keys()
        assert made is not None
        yield made


@transaction.atomic
def changed(kind: str, label: str, /, **params: object) -> keys.KeyChange:
    """A change that two people have agreed to."""
    asked = keys.ask(FIRST, kind, label, "按计划", params)
    return keys.confirm(SECOND, asked.number)

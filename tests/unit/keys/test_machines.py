"""Every (state, event) pair of a key version and of a change, and walks through them by chance."""

import random
from itertools import count

import pytest

from tests.support.machines import assert_every_pair, random_walk
from tests.support.size import dial
from tests.unit.keys.conftest import NOW, SECOND
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import Key
from xueka.kernel.machine import Machine
from xueka.platform.history import services as history
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db
SERIAL = count(1)
WALKS = dial(12, 10_000)


class Version:
    """A version of a key of its own, so that none stands in another's way."""

    def __init__(self) -> None:
        self.row: keys.KeyVersion | None = None

    def made(self, state: str) -> keys.KeyVersion:
        number = next(SERIAL)
        key = Key.objects.create(
            label=f"test.k{number}", title="试验", level="master", kind="control", algorithm="3des",
            usages=["diversify"], created_at=NOW, created_by="first",
        )  # fmt: skip
        gone = state == "destroyed"
        self.row = keys.KeyVersion.objects.create(
            key=key, number=1, state=state, state_at=NOW, algorithm="3des", kcv="abcdef", store="software",
            block=None if gone else b"block", origin="generated", created_at=NOW, asked_by="first",
            confirmed_by="second",
        )  # fmt: skip
        history.begin(keys.KEY_VERSION, [self.row.pk], SECOND)
        return self.row

    def fire(self, event: str, state: str, to: str | None) -> str:
        row = self.row
        if row is None or row.state != state:
            row = self.made(state)
        gone = {"handle": {row.pk: ""}} if event == "destroy" and state in ("pre_active", "retired") else None
        if gone:
            keys.KeyVersion.objects.filter(pk=row.pk).update(block=None, handle="going")
        history.apply(keys.KEY_VERSION, keys.KeyVersion, [row.pk], event, SECOND, to=to, also=gone)
        row.refresh_from_db()
        return row.state

    def still(self) -> str:
        assert self.row is not None
        self.row.refresh_from_db()
        return self.row.state


class Change:
    def __init__(self) -> None:
        self.row: keys.KeyChange | None = None

    def made(self, state: str) -> keys.KeyChange:
        number = next(SERIAL)
        self.row = keys.KeyChange.objects.create(
            number=f"MY-{number}", kind="rotate", label=f"test.c{number}", reason="x", state=state,
            state_at=NOW, asked_by="first", asked_at=NOW,
            decided_by="second" if state in ("done", "refused") else "",
        )  # fmt: skip
        history.begin(keys.KEY_CHANGE, [self.row.pk], SECOND)
        return self.row

    def fire(self, event: str, state: str, to: str | None) -> str:
        row = self.row if self.row is not None and self.row.state == state else self.made(state)
        keys.KeyChange.objects.filter(pk=row.pk).update(decided_by="second")
        history.apply(keys.KEY_CHANGE, keys.KeyChange, [row.pk], event, SECOND, to=to)
        row.refresh_from_db()
        return row.state

    def still(self) -> str:
        assert self.row is not None
        self.row.refresh_from_db()
        return self.row.state


class Delivery:
    """A delivery of its own; who and when stand beside the state, as the database wants."""

    def __init__(self) -> None:
        self.row: keys.KeyDelivery | None = None

    def made(self, state: str) -> keys.KeyDelivery:
        number = next(SERIAL)
        sent = {"sent_by": "first"} if state in ("sent", "arrived", "lost") else {}
        arrived = {"arrived_by": "second", "kcv": "abcdef"} if state == "arrived" else {}
        self.row = keys.KeyDelivery.objects.create(
            number=f"JF-{number}", version=Version().made("active"), change=Change().made("asked"),
            receiver_kind="partner", receiver="试验", way="block", due_on=NOW.date(), state=state,
            state_at=NOW, **sent, **arrived,
        )  # fmt: skip
        history.begin(keys.KEY_DELIVERY, [self.row.pk], SECOND)
        return self.row

    def fire(self, event: str, state: str, to: str | None) -> str:
        row = self.row if self.row is not None and self.row.state == state else self.made(state)
        also = {
            "send": {"sent_by": "first"},
            "recall": {"sent_by": ""},
            "arrive": {"arrived_by": "second", "kcv": "abcdef"},
        }.get(event, {})
        columns = {name: {row.pk: value} for name, value in also.items()}
        history.apply(keys.KEY_DELIVERY, keys.KeyDelivery, [row.pk], event, SECOND, to=to, also=columns)
        row.refresh_from_db()
        return row.state

    def still(self) -> str:
        assert self.row is not None
        self.row.refresh_from_db()
        return self.row.state


def test_every_pair_of_a_delivery() -> None:
    thing = Delivery()
    assert assert_every_pair(keys.KEY_DELIVERY, thing.fire, still=thing.still) == (5, 20)


def test_every_pair_of_a_version() -> None:
    thing = Version()
    assert assert_every_pair(keys.KEY_VERSION, thing.fire, still=thing.still) == (7, 18)


def test_every_pair_of_a_change() -> None:
    thing = Change()
    assert assert_every_pair(keys.KEY_CHANGE, thing.fire, still=thing.still) == (3, 9)


MACHINES = [(Version, keys.KEY_VERSION), (Change, keys.KEY_CHANGE), (Delivery, keys.KEY_DELIVERY)]


@pytest.mark.parametrize(("thing", "machine"), MACHINES)
def test_walks(thing: type[Version] | type[Change] | type[Delivery], machine: Machine) -> None:
    """Refused steps change nothing; in the end the history tells the same of every object."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    for walk in range(WALKS):
        one = thing()
        random_walk(machine, seed + walk, 12, one.fire, still=one.still)
    table = one.made(machine.initial)._meta.db_table
    for invariant in (state_matches_history(machine, table), steps_allowed(machine)):
        result = check(invariant)
        assert (result.checked > WALKS, result.violated) == (True, 0), result

"""The city's machines on a real table: every (state, event) pair, and long random walks."""

import os
import random

import pytest
from django.db import connection, models, transaction

from tests.support.machines import Move, assert_every_pair, random_walk, shortest_ways
from tests.support.size import dial
from xueka.contexts.cards.domain import transitions as cards
from xueka.contexts.coordination.domain import transitions as coordination
from xueka.contexts.logistics.domain import transitions as logistics
from xueka.contexts.multiapp.domain import transitions as multiapp
from xueka.contexts.production.domain import transitions as production
from xueka.contexts.repairs.domain import transitions as repairs
from xueka.contexts.takeover.domain import transitions as takeover
from xueka.kernel.errors import Refused
from xueka.kernel.machine import Machine
from xueka.platform import invariants
from xueka.platform.history import services
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.history.models import Transition
from xueka.platform.identity.actor import Actor

ACTOR = Actor.system("test")
MACHINES = [
    machine
    for module in (cards, production, logistics, takeover, repairs, multiapp, coordination)
    for machine in vars(module).values()
    if isinstance(machine, Machine)
]
each_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


def create(machine: Machine, things: type[models.Model], count: int = 1) -> list[int]:
    made = things.objects.bulk_create([things(state=machine.initial) for _ in range(count)])
    ids = [thing.pk for thing in made]
    services.begin(machine, ids, ACTOR)
    return ids


class Walker:
    """Drives one object through the services and knows what the database says of it."""

    def __init__(self, machine: Machine, things: type[models.Model]) -> None:
        self.machine, self.things = machine, things
        self.ways = shortest_ways(machine)
        self.begin()

    def begin(self) -> None:
        (self.thing,) = create(self.machine, self.things)

    def bring_to(self, state: str) -> None:
        self.begin()
        for event, target in self.ways[state]:
            services.apply(self.machine, self.things, [self.thing], event, ACTOR, to=target)

    def fire(self, event: str, to: str | None) -> str:
        before = self.snapshot()
        try:
            with transaction.atomic():
                services.apply(self.machine, self.things, [self.thing], event, ACTOR, to=to)
        except Refused:
            assert self.snapshot() == before, "a refused operation changes nothing"
            raise
        assert self.snapshot()[1] == before[1] + 1, "one step is one history row"
        return self.state()

    def state(self) -> str:
        return self.things.objects.get(pk=self.thing).state

    def snapshot(self) -> tuple[list[tuple[object, ...]], int]:
        return list(self.things.objects.filter(pk=self.thing).values_list()), Transition.objects.count()

    def agrees(self, state: str, moves: list[Move]) -> None:
        """The column, the last history row and the walk say the same."""
        steps = Transition.objects.filter(machine=self.machine.name, object_id=self.thing).order_by("seq")
        recorded = [(step.event, step.from_state, step.to_state) for step in steps]
        assert recorded == [("create", "", self.machine.initial), *moves]
        assert self.state() == state == recorded[-1][2]


@each_machine
def test_every_event_in_every_state(machine: Machine, things: type[models.Model]) -> None:
    walker = Walker(machine, things)

    def try_event(event: str, state: str, to: str | None) -> str:
        walker.bring_to(state)
        return walker.fire(event, to)

    allowed, refused = assert_every_pair(machine, try_event, still=walker.state)
    assert allowed + refused == len(machine.states) * len(machine.event_codes)


@each_machine
def test_random_walks(machine: Machine, things: type[models.Model]) -> None:
    """10,000 steps with XUEKA_TEST_SIZE=full; XUEKA_TEST_SEED replays a run."""
    seed = int(os.environ.get("XUEKA_TEST_SEED") or random.SystemRandom().randrange(10**9))
    print(f"XUEKA_TEST_SEED={seed}")
    walker = Walker(machine, things)
    steps = dial(150, 10_000)
    while steps > 0:
        moves = random_walk(
            machine,
            seed,
            min(steps, 100),
            lambda event, state, to: walker.fire(event, to),
            still=walker.state,
            check=walker.agrees,
        )
        steps -= max(len(moves), 1)
        seed += 1
        walker.begin()
    for invariant in (state_matches_history(machine, things._meta.db_table), steps_allowed(machine)):
        result = invariants.check(invariant)
        assert result.checked
        assert not result.violated


def test_the_invariants_can_fail(things: type[models.Model]) -> None:
    good, stale, lost = create(cards.CARD, things, 3)
    services.apply(cards.CARD, things, [good, stale], "order", ACTOR)
    things.objects.filter(pk=stale).update(state="made")
    things.objects.filter(pk=lost).delete()
    (bare,) = things.objects.bulk_create([things(state="planned")])
    result = invariants.check(state_matches_history(cards.CARD, things._meta.db_table))
    assert result.violated == 3
    assert sorted(result.examples) == sorted(map(str, (stale, lost, bare.pk)))
    assert not invariants.check(steps_allowed(cards.CARD)).violated
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO history_transition
                      (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
               VALUES ('card', %s, 3, 'hand_out', 'ordered', 'active', now(), 'x', '', '{}')""",
            [good],
        )
    result = invariants.check(steps_allowed(cards.CARD))
    assert (result.violated, result.examples) == (1, [f"{good}/3 hand_out"])

"""Exercises for state machines: every (event, state) pair, and walks through them by chance.

The thing under test is a `TryEvent`: a function that brings an object into `state`, fires `event` (towards
`to` where the table offers several targets) and returns the state the object is in afterwards, or raises
Refused. `still`, where given, returns the state of that object after a refusal: it must not have moved.
"""

import random
from collections.abc import Callable, Sequence
from itertools import count

from django.db import connection

from xueka.kernel.errors import Refused
from xueka.kernel.machine import Machine
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor

TryEvent = Callable[[str, str, str | None], str]
Move = tuple[str, str, str]


def rows_of(machine: Machine, event: str, state: str) -> list[str]:
    """The targets read from the table itself, not by the code under test."""
    return [row.target for row in machine.transitions if (row.event, row.source) == (event, state)]


def shortest_ways(machine: Machine) -> dict[str, list[tuple[str, str]]]:
    """How each state is reached from the beginning: (event, target), as few as possible."""
    ways: dict[str, list[tuple[str, str]]] = {machine.initial: []}
    frontier = [machine.initial]
    while frontier:
        here = frontier.pop(0)
        for row in machine.transitions:
            if row.source == here and row.target not in ways:
                ways[row.target] = [*ways[here], (row.event, row.target)]
                frontier.append(row.target)
    return ways


def assert_every_pair(
    machine: Machine, try_event: TryEvent, *, still: Callable[[], str] | None = None
) -> tuple[int, int]:
    """Fire every event in every state. Returns how many pairs were allowed and how many refused."""
    allowed = refused = 0
    for event in dict.fromkeys(row.event for row in machine.transitions):
        for state in (state.code for state in machine.states):
            targets = rows_of(machine, event, state)
            for to in targets:
                after = try_event(event, state, to if len(targets) > 1 else None)
                assert after == to, f"{machine.name}: {event} in {state} led to {after}, not {to}"
            if targets:
                allowed += 1
            else:
                _assert_refused(machine, try_event, event, state, still)
                refused += 1
    return allowed, refused


def assert_every_pair_in_a_table(machine: Machine) -> None:
    """The same, of a machine alone: its object is a row of a table that lasts as long as the test."""
    ids, actor = count(10_000_000 + random.Random(machine.name).randrange(1000)), Actor.system("test")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE thing (id bigint PRIMARY KEY, state text)")

    class Meta:
        db_table = "thing"
        fields: Sequence[object] = ()

    class Thing:
        _meta = Meta

    def try_event(event: str, state: str, to: str | None) -> str:
        id_ = next(ids)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO thing VALUES (%s, %s)", [id_, state])
            begin(machine, [id_], actor)
            apply(machine, Thing, [id_], event, actor, to=to)  # type: ignore[arg-type]
            cursor.execute("SELECT state FROM thing WHERE id = %s", [id_])
            return str(cursor.fetchone()[0])

    allowed, refused = assert_every_pair(machine, try_event)
    assert allowed and refused


def random_walk(
    machine: Machine,
    seed: int,
    steps: int,
    try_event: TryEvent,
    *,
    still: Callable[[], str] | None = None,
    check: Callable[[str, list[Move]], None] | None = None,
) -> list[Move]:
    """Walk from the initial state, one event in four chosen blindly. Returns the moves (event, from, to).

    `check(state, moves)` is called after every step, refused ones included. Ends early where nothing may
    happen any more.
    """
    chance = random.Random(seed)
    events = list(dict.fromkeys(row.event for row in machine.transitions))
    state = machine.initial
    moves: list[Move] = []
    for _ in range(steps):
        open_events = [event for event in events if rows_of(machine, event, state)]
        if not open_events:
            break
        event = chance.choice(events if chance.random() < 0.25 else open_events)
        targets = rows_of(machine, event, state)
        if targets:
            to = chance.choice(targets)
            after = try_event(event, state, to if len(targets) > 1 else None)
            assert after == to, f"seed {seed}: {machine.name}: {event} in {state} led to {after}, not {to}"
            moves.append((event, state, after))
            state = after
        else:
            _assert_refused(machine, try_event, event, state, still)
        if check:
            check(state, moves)
    return moves


def _assert_refused(
    machine: Machine, try_event: TryEvent, event: str, state: str, still: Callable[[], str] | None
) -> None:
    try:
        after = try_event(event, state, None)
    except Refused as refusal:
        assert refusal.code == "TRANSITION_NOT_ALLOWED", refusal.code
    else:
        raise AssertionError(f"{machine.name}: {event} in {state} was not refused but led to {after}")
    if still:
        assert still() == state, f"{machine.name}: refused {event} moved the object from {state} to {still()}"

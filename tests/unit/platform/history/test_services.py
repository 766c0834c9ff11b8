"""Bulk moves, refusals, races."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, models, transaction

from xueka.contexts.cards.domain.transitions import CARD
from xueka.kernel import clock
from xueka.kernel.errors import Conflict, Forbidden, Refused, XuekaError
from xueka.kernel.machine import Machine, State, Transition
from xueka.platform.history import queries, services
from xueka.platform.history.models import Transition as Step
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

from .test_machines import create

ACTOR = Actor.system("test")
NOON = datetime(2024, 9, 2, 4, tzinfo=UTC)


def rows(thing: int) -> list[tuple[object, ...]]:
    found = Step.objects.filter(machine="card", object_id=thing).order_by("seq")
    return list(found.values_list("seq", "event", "from_state", "to_state"))


def test_many_objects_in_a_fixed_number_of_statements(
    things: type[models.Model], django_assert_num_queries: Callable[..., object]
) -> None:
    ids = create(CARD, things, 500)
    with django_assert_num_queries(3):
        assert services.apply(CARD, things, ids, "order", ACTOR) == 500
    assert set(things.objects.values_list("state", flat=True)) == {"ordered"}
    assert {tuple(rows(thing)) for thing in ids} == {
        ((1, "create", "", "planned"), (2, "order", "planned", "ordered"))
    }


def test_objects_may_start_from_different_states(things: type[models.Model]) -> None:
    planned, ordered, made = create(CARD, things, 3)
    services.apply(CARD, things, [ordered, made], "order", ACTOR)
    services.apply(CARD, things, [made], "make", ACTOR)
    assert services.apply(CARD, things, [planned, ordered, made, made], "void", ACTOR, reason="停办") == 3
    assert rows(made)[-1] == (4, "void", "made", "void")
    assert rows(planned)[-1] == (2, "void", "planned", "void")


def test_one_event_may_lead_different_objects_to_different_states(things: type[models.Model]) -> None:
    parting = Machine(
        "parting",
        "岔路",
        "left",
        [State("left", "左"), State("right", "右"), State("west", "西", True), State("east", "东", True)],
        [
            Transition("cross", "left", "right", "x:y:z", "换边"),
            Transition("walk", "left", "west", "x:y:z", "走"),
            Transition("walk", "right", "east", "x:y:z", "走"),
        ],
    )
    stays, crosses = create(parting, things, 2)
    services.apply(parting, things, [crosses], "cross", ACTOR)
    assert services.apply(parting, things, [stays, crosses], "walk", ACTOR) == 2
    assert dict(things.objects.values_list("pk", "state")) == {stays: "west", crosses: "east"}
    steps = queries.last_steps("parting", [stays, crosses])
    assert [(steps[thing].from_state, steps[thing].to_state) for thing in (stays, crosses)] == [
        ("left", "west"),
        ("right", "east"),
    ]


def test_a_step_keeps_who_when_why_and_what(things: type[models.Model]) -> None:
    first, second = create(CARD, things, 2)
    with clock.at(NOON):
        services.apply(
            CARD,
            things,
            [first, second],
            "order",
            ACTOR,
            reason="第一批",
            detail={"batch": 7, "line": 0},
            details={second: {"line": 2}},
        )
    steps = queries.last_steps("card", [first, second])
    assert steps[first].detail == {"batch": 7, "line": 0}
    assert steps[second].detail == {"batch": 7, "line": 2}
    assert (steps[first].actor, steps[first].reason, steps[first].at) == ("system:test", "第一批", NOON)
    assert set(things.objects.values_list("state_at", flat=True)) == {NOON}


def test_one_refusal_refuses_all(things: type[models.Model]) -> None:
    fresh, made = create(CARD, things, 2)
    services.apply(CARD, things, [made], "order", ACTOR)
    with pytest.raises(Refused), transaction.atomic():
        services.apply(CARD, things, [fresh, made], "order", ACTOR)
    assert rows(fresh) == [(1, "create", "", "planned")]
    assert things.objects.get(pk=fresh).state == "planned"


def test_the_permission_of_the_row_is_asked_for(things: type[models.Model]) -> None:
    ids = create(CARD, things)
    teacher = Actor.in_role("zhao", "赵敏", "school_officer", Scope("school", "110101", "3111000001"))
    with pytest.raises(Forbidden) as refusal:
        services.apply(CARD, things, ids, "order", teacher)
    assert refusal.value.detail["permission"] == "city:batch:approve"
    assert things.objects.get(pk=ids[0]).state == "planned"


def test_an_object_that_is_gone(things: type[models.Model]) -> None:
    ids = create(CARD, things)
    with pytest.raises(Conflict) as refusal:
        services.apply(CARD, things, [*ids, 10**9], "order", ACTOR)
    assert refusal.value.code == "OBJECT_GONE"
    assert len(rows(ids[0])) == 1


def test_nothing_to_do(things: type[models.Model]) -> None:
    assert services.apply(CARD, things, [], "order", ACTOR) == 0


def test_an_object_is_created_once(things: type[models.Model]) -> None:
    ids = create(CARD, things)
    with pytest.raises(IntegrityError, match="history_one_step_per_seq"), transaction.atomic():
        services.begin(CARD, ids, ACTOR)


def test_a_timeline_merges_objects_in_the_order_of_time(things: type[models.Model]) -> None:
    with clock.at(NOON) as now:
        first, second = create(CARD, things, 2)
        now.advance(timedelta(hours=1))
        services.apply(CARD, things, [second], "order", ACTOR)
        now.advance(timedelta(hours=1))
        services.apply(CARD, things, [first], "order", ACTOR)
    steps = queries.timeline({"card": [first, second], "batch": []})
    assert [(step.object_id, step.event) for step in steps] == [
        (first, "create"),
        (second, "create"),
        (second, "order"),
        (first, "order"),
    ]
    assert queries.timeline({}) == []


def test_of_two_at_once_exactly_one_wins(lasting_things: type[models.Model]) -> None:
    (thing,) = create(CARD, lasting_things)
    gate = threading.Barrier(2, timeout=20)
    outcomes: list[str] = []

    def move() -> None:
        try:
            gate.wait()
            with transaction.atomic():
                services.apply(CARD, lasting_things, [thing], "order", ACTOR)
            outcomes.append("won")
        except XuekaError as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    for attempt in range(5):
        threads = [threading.Thread(target=move) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["TRANSITION_NOT_ALLOWED", "won"], attempt
        assert rows(thing) == [(1, "create", "", "planned"), (2, "order", "planned", "ordered")]
        outcomes.clear()
        (thing,) = create(CARD, lasting_things)


def test_the_database_refuses_a_doubled_step(things: type[models.Model]) -> None:
    (thing,) = create(CARD, things)
    for seq in (1, 0):
        with pytest.raises(IntegrityError), transaction.atomic():
            Step.objects.create(
                machine="card",
                object_id=thing,
                seq=seq,
                event="create",
                from_state="",
                to_state="planned",
                at=NOON,
                actor="x",
            )

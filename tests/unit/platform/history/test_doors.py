"""The doors beside the table: taken over, taken back, repaired (docs/adr/0090)."""

import pytest
from django.db import connection, models

from xueka.contexts.cards.domain.transitions import CARD
from xueka.kernel.errors import Conflict, Forbidden, Refused
from xueka.platform import invariants
from xueka.platform.history import services
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.history.models import Transition as Step
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

from .test_machines import create

ACTOR = Actor.system("test")
TEACHER = Actor.in_role("zhao", "赵敏", "school_officer", Scope("school", "110101", "3111000001"))


def taken(things: type[models.Model], *states: str) -> list[int]:
    ids = [thing.pk for thing in things.objects.bulk_create([things(state=state) for state in states])]
    services.take_over(CARD, dict(zip(ids, states, strict=True)), ACTOR, detail={"take_over": "JG-1"})
    return ids


def holds(things: type[models.Model]) -> bool:
    checks = (state_matches_history(CARD, things._meta.db_table), steps_allowed(CARD))
    results = [invariants.check(each) for each in checks]
    assert all(result.checked for result in results)
    return not any(result.violated for result in results)


def test_an_object_begins_in_the_middle_of_its_life(things: type[models.Model]) -> None:
    active, lost = taken(things, "active", "lost")
    services.apply(CARD, things, [lost], "lift", ACTOR)
    steps = Step.objects.filter(object_id=lost).order_by("seq").values_list("event", "from_state", "to_state")
    assert list(steps) == [("take_over", "", "lost"), ("lift", "lost", "active")]
    assert Step.objects.get(object_id=active).detail == {"take_over": "JG-1"}
    assert holds(things)
    with pytest.raises(ValueError, match="unknown state"):
        taken(things, "nowhere")
    with pytest.raises(Forbidden):
        services.take_over(CARD, {active: "active"}, TEACHER)


def test_what_was_taken_over_can_be_taken_back_while_nothing_moved(things: type[models.Model]) -> None:
    gone, moved = taken(things, "active", "active")
    services.apply(CARD, things, [moved], "report_lost", ACTOR)
    for ids in ([gone, moved], create(CARD, things)):
        with pytest.raises(Refused) as refusal:
            services.take_back(CARD, things, ids, ACTOR, reason="试")
        assert refusal.value.code == "OBJECT_MOVED"
    assert things.objects.filter(pk=gone).exists()
    assert services.take_back(CARD, things, [gone], ACTOR, reason="文件有误") == 1
    assert not things.objects.filter(pk=gone).exists()
    last = Step.objects.filter(object_id=gone).latest("seq")
    assert (last.event, last.from_state, last.to_state, last.reason) == (
        "take_back",
        "active",
        "",
        "文件有误",
    )
    assert holds(things)
    with pytest.raises(Conflict):
        services.take_back(CARD, things, [gone], ACTOR, reason="再来")
    with pytest.raises(Forbidden):
        services.take_back(CARD, things, [moved], TEACHER, reason="试")


def test_a_repair_goes_beside_the_table_and_says_so(things: type[models.Model]) -> None:
    (card,) = taken(things, "cancelled")
    assert services.repair(CARD, things, [card], "active", ACTOR, repair=7, reason="误注销") == 1
    step = Step.objects.filter(object_id=card).latest("seq")
    assert (step.event, step.from_state, step.to_state) == ("repair", "cancelled", "active")
    assert (step.reason, step.detail) == ("误注销", {"repair": 7})
    assert things.objects.get(pk=card).state == "active"
    assert holds(things)
    with pytest.raises(Forbidden):
        services.repair(CARD, things, [card], "lost", TEACHER, repair=7, reason="试")
    with pytest.raises(ValueError, match="unknown state"):
        services.repair(CARD, things, [card], "nowhere", ACTOR, repair=7, reason="试")


@pytest.mark.parametrize(
    ("event", "source", "target", "detail"),
    [
        ("repair", "active", "planned", "{}"),  # names no repair
        ("take_back", "active", "lost", "{}"),  # did not end
        ("take_over", "active", "lost", "{}"),  # in the middle
    ],
)
def test_a_step_through_a_door_that_is_not_open(
    things: type[models.Model], event: str, source: str, target: str, detail: str
) -> None:
    (card,) = taken(things, "active")
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO history_transition
                      (machine, object_id, seq, event, from_state, to_state, at, actor, reason, detail)
               VALUES ('card', %s, 2, %s, %s, %s, now(), 'x', '', %s)""",
            [card, event, source, target, detail],
        )
    assert invariants.check(steps_allowed(CARD)).violated == 1


def test_an_object_that_vanishes_without_a_word_is_missed(things: type[models.Model]) -> None:
    (card,) = taken(things, "active")
    things.objects.filter(pk=card).delete()
    assert invariants.check(state_matches_history(CARD, things._meta.db_table)).violated == 1

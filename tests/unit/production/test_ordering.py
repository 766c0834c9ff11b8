"""Lock, approval by another person, and what the cards are afterwards."""

import pytest
from django.db import IntegrityError, transaction

from tests.support.machines import assert_every_pair
from tests.unit.production.conftest import FIRST, SECOND, Line, card_states, fresh, items
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production import api as production
from xueka.contexts.production.models import Batch
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.history import services as history
from xueka.platform.history.models import Transition
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def test_lock_plans_a_card_with_numbers_for_each_application(made_line: Line) -> None:
    batch = production.lock(FIRST, made_line.batch(3).id)
    assert (batch.state, batch.locked_by) == ("locked", "op-a")
    assert card_states(batch) == ["planned"] * 3
    assert all(item.card.transit_number and item.card.beijing_tong_number for item in items(batch))
    numbers_in_order = [item.card.number for item in items(batch)]
    assert numbers_in_order == sorted(numbers_in_order)


def test_who_locked_cannot_approve(made_line: Line) -> None:
    batch = production.lock(FIRST, made_line.batch(1).id)
    with pytest.raises(Refused) as refused:
        production.approve(FIRST, batch.id)
    assert refused.value.code == "SECOND_PERSON"
    assert card_states(batch) == ["planned"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Batch.objects.filter(id=batch.id).update(approved_by="op-a")


def test_approval_orders_every_card_and_remembers_it(made_line: Line) -> None:
    batch = made_line.approved(2)
    assert (batch.state, batch.approved_by) == ("approved", "op-b")
    assert card_states(batch) == ["ordered", "ordered"]
    orders = Transition.objects.filter(
        machine="card", event="order", object_id__in=[item.card_id for item in items(batch)]
    )
    assert {order.actor for order in orders} == {"op-b"}
    assert len(orders) == 2


def test_unlocking_keeps_the_planned_numbers(made_line: Line) -> None:
    batch = production.lock(FIRST, made_line.batch(2).id)
    before = [item.card.number for item in items(batch)]
    production.unlock(FIRST, batch.id)
    assert fresh(batch).locked_by == ""
    production.lock(SECOND, batch.id)
    assert [item.card.number for item in items(batch)] == before


def test_what_the_format_would_refuse_is_refused_at_the_lock(made_line: Line) -> None:
    batch = made_line.batch(3)
    student = items(batch)[1].application.account.student
    registry.Student.objects.filter(id=student.id).update(name="王\ue000")
    with pytest.raises(BadInput) as refused, transaction.atomic():
        production.lock(FIRST, batch.id)
    assert refused.value.code == "RECORDS_INVALID"
    [problem] = refused.value.detail["problems"]
    assert (problem["column"], problem["line"]) == ("name", 3)
    assert fresh(batch).state == "open"
    assert cards.Card.objects.count() == 0


def test_an_application_that_changed_meanwhile_stops_the_lock(made_line: Line) -> None:
    batch = made_line.batch(2)
    gone = items(batch)[0].application
    cards.cancel_applications(made_line.city.system, [gone.id], "转学离京")
    with pytest.raises(Refused) as refused, transaction.atomic():
        production.lock(FIRST, batch.id)
    assert (refused.value.code, refused.value.found) == ("APPLICATION_NOT_READY", gone.number)
    production.remove_applications(FIRST, batch.id, [gone.id])
    assert production.lock(FIRST, batch.id).card_count == 1


def test_numbers_that_run_out_leave_everything_as_it_was(made_line: Line) -> None:
    batch = made_line.batch(2)
    for found in numbers.ranges(FIRST.scope):
        if found.sort == "transit":
            numbers.close_range(made_line.city.system, found.id, "测试")
    with pytest.raises(Refused) as refused, transaction.atomic():
        production.lock(FIRST, batch.id)
    assert refused.value.code == "NUMBERS_EXHAUSTED"
    assert fresh(batch).state == "open"
    assert set(batch.items.values_list("application__state", flat=True)) == {cards.ACCEPTED}


def test_an_auditor_may_look_and_not_touch(made_line: Line) -> None:
    auditor = Actor.in_role("audit", "审计", "auditor", Scope("city"))
    batch = made_line.batch(1)
    assert production.batch(auditor.scope, batch.number).batch == batch
    with pytest.raises(Forbidden):
        production.lock(auditor, batch.id)


def test_every_event_in_every_state(made_line: Line) -> None:
    batch = made_line.batch(1)
    system = Actor.system("test")

    def fire(event: str, state: str, to: str | None) -> str:
        Batch.objects.filter(id=batch.id).update(state=state)
        history.apply(production.BATCH, Batch, [batch.id], event, system, to=to)
        return fresh(batch).state

    allowed, refused = assert_every_pair(production.BATCH, fire, still=lambda: fresh(batch).state)
    assert allowed == 14
    assert allowed + refused == len(production.BATCH.states) * len(production.BATCH.event_codes)

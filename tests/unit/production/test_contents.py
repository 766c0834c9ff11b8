"""What may go into an open batch and come out again, told before it is done."""

import pytest

from tests.unit.cards.conftest import KIND
from tests.unit.production.conftest import DISTRICT, FIRST, Line, items
from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.kernel.errors import Forbidden, NotFound


def test_waiting_is_what_is_accepted_and_in_no_batch(made_line: Line) -> None:
    city = made_line.city
    taken = [item.application_id for item in items(made_line.batch(2))]
    free = city.accepted(city.students(2))
    city.drafts(city.students(1))
    assert sorted(production.waiting_applications(FIRST.scope, KIND).values_list("id", flat=True)) == free
    assert not production.waiting_applications(DISTRICT.scope, "xj_card").exists()
    batch = production.batch(FIRST.scope, "B26-00001").batch
    production.remove_applications(FIRST, batch.id, taken[:1])
    assert set(production.waiting_applications(FIRST.scope, KIND).values_list("id", flat=True)) == {
        *free,
        taken[0],
    }


def test_a_preview_says_why_not_and_the_act_takes_what_it_lets_through(made_line: Line) -> None:
    city = made_line.city
    batch, other = made_line.batch(2), made_line.batch(1)
    inside = items(batch)[0].application_id
    elsewhere = items(other)[0].application_id
    [draft] = city.drafts(city.students(1))
    free = city.accepted(city.students(2))
    result = production.preview_add(FIRST, batch.number, [inside, elsewhere, draft, *free, 10**9])
    assert result.done == free
    assert [(id_, code) for id_, code, _ in result.refused] == [
        (inside, "APPLICATION_IN_BATCH"),
        (elsewhere, "APPLICATION_IN_BATCH"),
        (draft, "APPLICATION_NOT_READY"),
    ]
    assert other.number in result.refused[1][2]
    assert production.add_applications(FIRST, batch.id, result.done).card_count == 4


def test_what_comes_out_and_which_planned_cards_are_void(made_line: Line) -> None:
    batch = made_line.batch(2)
    ids = [item.application_id for item in items(batch)]
    result, planned = production.preview_remove(FIRST, batch.number, ids)
    assert (result.done, planned) == (ids, 0)
    production.lock(FIRST, batch.id)
    result, planned = production.preview_remove(FIRST, batch.number, ids)
    assert result.done == []
    assert result.reasons() == {"BATCH_NOT_OPEN": 2}
    assert production.preview_add(FIRST, batch.number, ids).reasons() == {"BATCH_NOT_OPEN": 2}
    production.unlock(FIRST, batch.id)
    result, planned = production.preview_remove(FIRST, batch.number, [*ids, 10**9])
    assert (result.done, planned) == (ids, 2)
    assert production.remove_applications(FIRST, batch.id, ids).card_count == 0
    assert {cards.application(FIRST.scope, id_).state for id_ in ids} == {"accepted"}


def test_only_the_city_and_only_whoever_makes_batches(made_line: Line) -> None:
    batch = made_line.batch(1)
    with pytest.raises(NotFound):
        production.item_rows(DISTRICT.scope, batch.number)
    for preview in (production.preview_add, production.preview_remove):
        with pytest.raises(Forbidden):
            preview(DISTRICT, batch.number, [1])

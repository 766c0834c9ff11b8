"""Putting a batch together and taking it apart."""

import pytest
from django.db import connection

from tests.unit.cards.conftest import KIND
from tests.unit.production.conftest import DISTRICT, FIRST, SECOND, Line, card_states, fresh, items
from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.contexts.production.models import Batch
from xueka.contexts.production.services import composing
from xueka.contexts.production.services.composing import PACKING_ORDER
from xueka.contexts.registry import api as registry
from xueka.kernel.errors import Conflict, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.history.models import Transition


def test_a_batch_is_numbered_by_year_without_gap(made_line: Line) -> None:
    assert [made_line.batch(1).number for _ in range(3)] == ["B26-00001", "B26-00002", "B26-00003"]


def test_creation_is_in_history_and_audit(made_line: Line) -> None:
    batch = made_line.batch(2)
    assert batch.card_count == 2
    assert Transition.objects.get(machine="batch", object_id=batch.id).event == "create"
    entry = Entry.objects.get(action="batch.create", object_id=batch.number)
    assert (entry.actor, entry.detail["cards"]) == ("op-a", 2)


def test_cards_are_made_in_the_order_of_packing(made_line: Line) -> None:
    batch = made_line.batch(3)
    production.unlock(FIRST, production.lock(FIRST, batch.id).id)
    last = batch.items.get(position=1).application.account.student
    registry.Student.objects.filter(id=last.id).update(sort_key="zzz")
    production.lock(FIRST, batch.id)
    order = [f"application__{field}" for field in PACKING_ORDER]
    assert list(batch.items.order_by(*order).values_list("position", flat=True)) == [1, 2, 3]
    assert batch.items.get(position=3).application.account.student_id == last.id


def test_only_accepted_applications_of_the_kind_go_in(made_line: Line) -> None:
    city = made_line.city
    draft = cards.create_applications(city.system, city.students(1), KIND, "new").done
    with pytest.raises(Refused) as refused:
        production.create_batch(FIRST, KIND, draft)
    assert refused.value.code == "APPLICATION_NOT_READY"
    ready = [item.application_id for item in items(made_line.batch(1))]
    with pytest.raises(Refused):
        production.create_batch(FIRST, "xj_card", ready)
    with pytest.raises(Refused) as refused:
        production.create_batch(FIRST, KIND, [])
    assert refused.value.code == "BATCH_EMPTY"
    with pytest.raises(Refused):
        production.create_batch(FIRST, KIND, [10**9])


def test_an_application_is_in_one_open_batch(made_line: Line) -> None:
    batch = made_line.batch(2)
    ids = [item.application_id for item in items(batch)]
    with pytest.raises(Conflict) as refused:
        production.create_batch(FIRST, KIND, ids[:1])
    assert refused.value.code == "APPLICATION_IN_BATCH"
    production.remove_applications(FIRST, batch.id, ids[:1])
    assert production.create_batch(FIRST, KIND, ids[:1]).card_count == 1


def test_applications_come_and_go_while_it_is_open(made_line: Line) -> None:
    batch, other = made_line.batch(2), made_line.batch(1)
    moved = [item.application_id for item in items(other)]
    production.dissolve(FIRST, other.id, "并入上一批")
    assert production.add_applications(FIRST, batch.id, moved).card_count == 3
    production.lock(FIRST, batch.id)
    for change in (production.add_applications, production.remove_applications):
        with pytest.raises(Refused) as refused:
            change(FIRST, batch.id, moved)
        assert refused.value.code == "BATCH_NOT_OPEN"
    production.unlock(FIRST, batch.id)
    planned = batch.items.get(application_id=moved[0]).card
    assert production.remove_applications(FIRST, batch.id, moved).card_count == 2
    planned.refresh_from_db()
    assert planned.state == "void"
    assert cards.Application.objects.get(id=moved[0]).state == cards.ACCEPTED
    production.lock(FIRST, batch.id)
    assert [item.position for item in items(batch)] == [1, 2]


def test_a_batch_has_a_limit(made_line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "LIMIT", 2)
    with pytest.raises(Refused) as refused:
        made_line.batch(3)
    assert (refused.value.code, refused.value.found, refused.value.expected) == ("BATCH_TOO_LARGE", 3, 2)


def test_dissolving_gives_applications_back_and_voids_cards(made_line: Line) -> None:
    batch = made_line.batch(2)
    production.unlock(FIRST, production.lock(FIRST, batch.id).id)
    with pytest.raises(Refused) as refused:
        production.dissolve(FIRST, batch.id, " ")
    assert refused.value.code == "REASON_REQUIRED"
    production.dissolve(FIRST, batch.id, "组错了")
    assert fresh(batch).state == "dissolved"
    assert card_states(batch) == ["void", "void"]
    states = batch.items.values_list("application__state", flat=True)
    assert set(states) == {cards.ACCEPTED}


def test_an_approved_batch_cannot_be_dissolved_while_its_file_is_made(made_line: Line) -> None:
    batch = made_line.approved(1)
    with pytest.raises(Refused) as refused:
        production.dissolve(SECOND, batch.id, "不做了")
    assert refused.value.code == "BATCH_BEING_BUILT"
    Batch.objects.update(build_error="无法生成")
    production.dissolve(SECOND, batch.id, "不做了")
    assert card_states(batch) == ["void"]


def test_strangers_see_nothing_and_may_nothing(made_line: Line) -> None:
    batch = made_line.batch(1)
    with pytest.raises(NotFound):
        production.lock(DISTRICT, batch.id)
    with pytest.raises(NotFound):
        production.batch(DISTRICT.scope, batch.number)
    assert production.batches(DISTRICT.scope) == []
    with pytest.raises(Forbidden):
        production.create_batch(DISTRICT, KIND, [1])


def test_the_database_itself_keeps_an_application_in_one_open_batch(made_line: Line) -> None:
    from django.db import IntegrityError, transaction

    first, second = made_line.batch(1), made_line.batch(1)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE production_batchitem SET application_id = %s WHERE batch_id = %s",
            [items(first)[0].application_id, second.id],
        )

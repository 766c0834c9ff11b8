"""Lists of the production line: filtered, paged by key, and only for the city."""

from tests.unit.production.conftest import DISTRICT, FIRST, Line, items, line
from xueka.contexts.production import api as production


def test_batches_are_found_by_state_number_and_title(made_line: Line) -> None:
    first, second, third = (made_line.batch(1) for _ in range(3))
    production.lock(FIRST, second.id)
    assert production.batches(FIRST.scope) == [third, second, first]
    assert production.batches(FIRST.scope, states=["locked"]) == [second]
    assert production.batches(FIRST.scope, search="00003") == [third]
    assert production.batches(FIRST.scope, before=third.id, limit=1) == [second]


def test_items_by_outcome_and_by_position(made_line: Line) -> None:
    batch = made_line.acknowledged(3)
    made_line.take(batch, [line(items(batch)[1])])
    assert [item.position for item in production.items(FIRST.scope, batch.number, after=1)] == [2, 3]
    assert [item.position for item in production.items(FIRST.scope, batch.number, outcome="missing")] == [
        1,
        3,
    ]
    assert production.items(DISTRICT.scope, batch.number) == []


def test_problems_by_kind_and_by_id(made_line: Line) -> None:
    batch = made_line.acknowledged(3)
    made_line.take(batch, [line(items(batch)[0]), line(items(batch)[0])])
    first, second, third = production.problems(FIRST.scope)
    assert {view.problem.kind for view in (first, second, third)} == {"missing", "duplicate"}
    assert production.problems(FIRST.scope, after=second.problem.id) == [third]
    missing = production.problems(FIRST.scope, kind="missing", batch_number=batch.number)
    assert [view.card_number for view in missing] == [item.card.number for item in items(batch)[1:]]
    one = production.problem(FIRST.scope, missing[0].problem.id)
    assert one is not None
    assert [code for code, _ in one.resolutions] == ["write_off"]
    assert production.problem(DISTRICT.scope, missing[0].problem.id) is None


def test_a_batch_page_shows_its_six_numbers_files_and_problems(made_line: Line) -> None:
    batch = made_line.acknowledged(2)
    made_line.take(batch, [line(items(batch)[0])])
    view = production.batch(FIRST.scope, batch.number)
    shown = {label: number for _, label, number in view.numbers.labelled(view.batch.state)}
    assert shown == {"未回": 0, "相符": 1, "失败": 0, "缺失": 1, "被改": 0, "作废重制": 0}
    assert [package.state for package in view.packages] == ["accepted"]
    assert [found.state for found in view.returns] == ["applied"]
    assert (view.open_problems, view.to_remake, view.to_pack) == (1, 0, 1)


def test_before_the_file_is_out_no_card_is_late(made_line: Line) -> None:
    batch = made_line.ready(2)
    numbers = production.batch(FIRST.scope, batch.number).numbers
    assert numbers.labelled("ready")[0] == ("pending", "未送出", 2)
    assert numbers.labelled("sent")[0] == ("pending", "未回", 2)


def test_the_bureau_is_shown_to_the_city_alone(made_line: Line) -> None:
    made_line.acknowledged(1)
    assert [found.outcome for found in production.inbox(FIRST.scope)] == ["acknowledged"]
    assert [partner.code for partner in production.partners(FIRST.scope)] == ["bureau"]
    assert production.inbox(DISTRICT.scope) == []
    assert production.partners(DISTRICT.scope) == []

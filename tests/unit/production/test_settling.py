"""What people decide, follow-up batches, and the end of a batch."""

import pytest

from tests.unit.production.conftest import (
    DISTRICT,
    FIRST,
    SECOND,
    Line,
    card_states,
    fresh,
    items,
    line,
    outcomes,
)
from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.contexts.production.models import Batch, Problem
from xueka.kernel.errors import BadInput, NotFound, Refused


@pytest.fixture
def troubled(made_line: Line) -> Batch:
    """Made, failed, missing, altered; one line twice, one of nowhere."""
    batch = made_line.acknowledged(4)
    first, second, _, fourth = items(batch)
    lines = [line(first), line(first), line(second, result="01", uid=""), line(fourth, transit="")]
    made_line.take(batch, [*lines, line(first).replace(first.card.number, "123456789012")])
    return fresh(batch)


def of_kind(kind: str) -> Problem:
    return Problem.objects.get(kind=kind)


def test_close_says_what_is_open(troubled: Batch) -> None:
    with pytest.raises(Refused) as refused:
        production.close(FIRST, troubled.id)
    assert refused.value.code == "BATCH_NOT_ACCOUNTED"
    assert (
        refused.value.message
        == f"批次 {troubled.number} 还不能结批：缺失 1 张，被改 1 张，未处理的问题 4 个。"
    )
    assert fresh(troubled).state == "reconciling"


def test_an_open_problem_keeps_a_batch_open(troubled: Batch) -> None:
    production.declare_missing(FIRST, troubled.id)
    with pytest.raises(Refused) as refused:
        production.close(FIRST, troubled.id)
    assert (refused.value.detail["cards"], refused.value.detail["problems"]) == ({}, 2)


def test_a_missing_card_is_written_off_and_made_again(troubled: Batch) -> None:
    problem = of_kind("missing")
    with pytest.raises(BadInput):
        production.resolve_problem(FIRST, problem.id, "noted")
    done = production.resolve_problem(FIRST, problem.id, "write_off", "卡厂确认未制")
    assert (done.state, done.resolution, done.resolved_by, done.note) == (
        "resolved",
        "write_off",
        "op-a",
        "卡厂确认未制",
    )
    assert outcomes(troubled) == ["matched", "failed", "dropped", "altered"]
    assert card_states(troubled)[2] == "void"
    with pytest.raises(Refused):
        production.resolve_problem(FIRST, problem.id, "write_off")


def test_a_line_is_only_noted(troubled: Batch) -> None:
    for kind in ("duplicate", "unknown"):
        with pytest.raises(BadInput):
            production.resolve_problem(FIRST, of_kind(kind).id, "write_off")
        production.resolve_problem(FIRST, of_kind(kind).id, "noted", "卡厂重复登记")
    assert outcomes(troubled) == ["matched", "failed", "missing", "altered"]


def test_declared_missing_accounts_for_every_card(troubled: Batch) -> None:
    assert production.declare_missing(FIRST, troubled.id) == 2
    assert outcomes(troubled) == ["matched", "failed", "dropped", "dropped"]
    assert card_states(troubled) == ["made", "failed", "void", "void"]
    assert {problem.kind for problem in Problem.objects.filter(state="open")} == {"duplicate", "unknown"}
    assert production.declare_missing(FIRST, troubled.id) == 0


def test_nothing_is_declared_missing_before_a_return(made_line: Line) -> None:
    batch = made_line.acknowledged(1)
    with pytest.raises(Refused) as refused:
        production.declare_missing(FIRST, batch.id)
    assert refused.value.code == "BATCH_NOT_RECONCILING"


def settle(batch: Batch) -> None:
    production.declare_missing(FIRST, batch.id)
    for view in production.problems(FIRST.scope, batch_number=batch.number):
        production.resolve_problem(FIRST, view.problem.id, view.resolutions[0][0], "已核实")


def test_the_followup_makes_what_failed_or_was_written_off(troubled: Batch, made_line: Line) -> None:
    settle(troubled)
    assert production.batch(FIRST.scope, troubled.number).to_remake == 3
    remake = production.make_followup(FIRST, troubled.id)
    assert (remake.card_count, remake.remake_of, remake.state) == (3, troubled, "open")
    again = {item.application_id for item in items(remake)}
    assert again == {item.application_id for item in items(troubled)[1:]}
    assert production.make_followup(FIRST, troubled.id) is None
    assert production.close(FIRST, troubled.id).state == "closed"
    production.approve(SECOND, production.lock(FIRST, remake.id).id)
    jobs.sweep()
    made_line.take(remake, [line(item) for item in items(remake)])
    assert card_states(remake) == ["made"] * 3
    old = {item.card.number for item in items(troubled)}
    assert old.isdisjoint(item.card.number for item in items(remake))
    assert production.close(FIRST, remake.id).state == "closed"


def test_a_late_word_on_a_closed_batch_is_a_problem_and_nothing_else(
    troubled: Batch, made_line: Line
) -> None:
    settle(troubled)
    production.close(FIRST, troubled.id)
    made_line.take(troubled, [line(items(troubled)[2])], number=2)
    assert fresh(troubled).state == "closed"
    assert outcomes(troubled) == ["matched", "failed", "dropped", "dropped"]
    [view] = production.problems(FIRST.scope)
    assert view.problem.kind == "surplus"
    assert [code for code, _ in view.resolutions] == ["noted"]


def test_problems_have_an_owner(troubled: Batch) -> None:
    problem = of_kind("altered")
    production.take_problem(SECOND, problem.id)
    assert [view.problem for view in production.problems(FIRST.scope, owner="op-b")] == [problem]
    with pytest.raises(NotFound):
        production.take_problem(
            DISTRICT.__class__.in_role("x", "x", "city_operator", DISTRICT.scope), problem.id
        )
    assert production.problems(DISTRICT.scope) == []
    assert production.problem_counts(FIRST.scope) == {
        "missing": 1,
        "altered": 1,
        "duplicate": 1,
        "unknown": 1,
    }


def test_a_cancelled_application_is_not_made_again(troubled: Batch) -> None:
    failed = items(troubled)[1].application
    cards.cancel_applications(SECOND, [failed.id], "学生已离京")
    settle(troubled)
    remake = production.make_followup(FIRST, troubled.id)
    assert failed.id not in {item.application_id for item in items(remake)}


def test_counts_for_the_line(troubled: Batch) -> None:
    count, made, since = production.batch_counts(FIRST.scope)["reconciling"]
    assert (count, made, since) == (1, 4, fresh(troubled).state_at)
    assert production.batch_counts(DISTRICT.scope) == {}

"""Half-way: one school fails and the others do not wait; a running job is stopped and taken back."""

import pytest

from tests.unit.schoolyear.conftest import FIRST, SECOND, City, digest, run, violated
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.models import Piece
from xueka.contexts.schoolyear.services import planning, running, steps
from xueka.kernel.errors import Refused
from xueka.platform.identity.scope import Scope


@pytest.fixture
def agreed(town: City) -> year.Job:
    for school in range(3):
        town.pupils("小学", 2, 2, school=school)
    job = run(year.create_job(FIRST, "promotion", "city"))
    return year.confirm_job(SECOND, job.number)


@pytest.mark.parametrize(
    "error", [Refused("SOME_RULE", "有一条规则不让办。"), RuntimeError("our own mistake")]
)
def test_a_school_that_fails_keeps_no_other_waiting(
    town: City, agreed: year.Job, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    second = town.schools[1]
    follow = cards.follow_classes

    def failing(actor, students, *rest) -> None:
        if registry.student(Scope("city"), students[0]).school_id == second.id:
            raise error
        follow(actor, students, *rest)

    monkeypatch.setattr(running.cards, "follow_classes", failing)
    job = run(agreed)
    pieces = {each.school_id: each for each in Piece.objects.filter(job=job)}
    assert (job.state, pieces[second.id].state) == ("done", "failed")
    assert pieces[second.id].error
    assert year.figures(FIRST.scope, job).done == 4
    assert not registry.Student.objects.filter(school=second, school_class__grade=3).exists()
    monkeypatch.setattr(running.cards, "follow_classes", follow)
    year.resume_job(FIRST, job.number)
    job = run(job)
    assert (job.state, year.figures(FIRST.scope, job).done) == ("done", 6)
    with pytest.raises(Refused, match="没有办理失败"):
        year.resume_job(FIRST, job.number)
    assert violated() == []


def test_a_preview_that_fails_is_not_replaced_by_an_earlier_one(
    town: City, agreed: year.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    year.cancel_job(FIRST, agreed.number)
    job = run(year.create_job(FIRST, "promotion", "city"))
    plan, failing = planning.plan_piece, town.schools[1].id
    monkeypatch.setitem(
        steps._ACTS, "draft", (lambda *of: 1 / 0 if of[1].school_id == failing else plan(*of), ("waiting",))
    )
    job = run(year.replan_job(FIRST, job.number))
    assert year.figures(FIRST.scope, job).schools == {"planned": 2, "failed": 1}
    year.confirm_job(SECOND, job.number)
    job = run(job)
    with pytest.raises(Refused, match="没有办理失败"):
        year.resume_job(FIRST, job.number)
    assert not registry.Student.objects.filter(school=failing, school_class__grade=3).exists()


def test_a_running_job_is_stopped_and_taken_back(town: City, agreed: year.Job) -> None:
    before = digest()
    assert steps.advance(agreed.id)  # it starts
    assert steps.advance(agreed.id)  # one school
    assert year.figures(FIRST.scope, agreed).schools == {"done": 1, "planned": 2}
    year.take_back_job(FIRST, agreed.number, "停")
    job = run(agreed)
    assert (job.state, digest()) == ("taken_back", before)
    assert year.figures(FIRST.scope, job).schools == {"undone": 1, "planned": 2}
    assert not steps.advance(job.id)


def test_a_school_that_could_not_be_restored_is_tried_again(
    town: City, agreed: year.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest()
    job = run(agreed)
    follow = cards.follow_classes

    def failing(actor, students, *rest) -> None:
        if registry.student(Scope("city"), students[0]).school_id == town.schools[1].id:
            raise RuntimeError("our own mistake")
        follow(actor, students, *rest)

    monkeypatch.setattr(running.cards, "follow_classes", failing)
    year.take_back_job(FIRST, job.number, "停")
    job = run(job)
    assert job.state == "done", "what a school still has of it can be taken back"
    assert year.figures(FIRST.scope, job).schools == {"undone": 2, "done": 1}
    assert Piece.objects.get(job=job, state="done").error
    assert violated() == []
    monkeypatch.setattr(running.cards, "follow_classes", follow)
    year.take_back_job(FIRST, job.number, "再试")
    job = run(job)
    assert (job.state, digest()) == ("taken_back", before)
    assert not Piece.objects.exclude(error="").exists()


def test_a_job_stopped_half_way_whose_school_cannot_be_restored(
    town: City, agreed: year.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps.advance(agreed.id) and steps.advance(agreed.id)
    with monkeypatch.context() as broken:
        broken.setattr(running.registry, "move_students", lambda *_: 1 / 0)
        year.take_back_job(FIRST, agreed.number, "停")
        job = run(agreed)
    assert (job.state, year.figures(FIRST.scope, job).schools) == ("done", {"undone": 2, "done": 1})
    assert job.undo_until and violated() == []
    year.take_back_job(FIRST, job.number, "再试")
    assert run(job).state == "taken_back"


def test_a_transfer_prepares_the_exchange_of_the_card(town: City) -> None:
    [student] = town.pupils("小学", 2, 1)
    town.active([student])
    registry.SchoolClass.objects.create(school=town.schools[1], stage="小学", grade=2, name="1班")
    found = registry.student(Scope("city"), student)
    asked = year.ask_transfer(town.officer, found.education_id, "", town.schools[1].code, "搬家")
    done, drafts = year.confirm_transfer(town.other_officer, asked.id, "accept")
    assert done.state == "closed"
    [made] = Application.objects.filter(number__in=drafts)
    assert (made.reason, made.state, made.school_id) == ("transfer", "draft", town.schools[1].id)


def test_whoever_is_in_a_transfer_since_the_preview_stays(town: City) -> None:
    student, other = town.pupils("小学", 2, 2)
    registry.SchoolClass.objects.create(school=town.schools[1], stage="小学", grade=2, name="1班")
    registry.SchoolClass.objects.create(school=town.schools[1], stage="小学", grade=3, name="1班")

    def ask(who: int) -> registry.Transfer:
        found = registry.student(Scope("city"), who)
        return registry.ask_transfer(town.officer, found.education_id, "", town.schools[1].code, "搬家")

    job = run(year.create_job(FIRST, "promotion", "school", town.schools[0].code))
    asked = ask(student)
    year.confirm_job(SECOND, job.number)
    job = run(job)
    assert (town.place(student)[2], town.place(other)[2]) == (2, 3)
    assert year.figures(FIRST.scope, job).skipped == 1
    assert [move.note for move in year.moves(FIRST.scope, job.number, outcome="skipped")] == ["transfer"]
    registry.confirm_transfer(town.other_officer, asked.id, "accept")
    assert town.place(student)[:3] == (town.schools[1].code, "小学", 2), "not into a grade that is behind her"
    ask(other)
    year.take_back_job(FIRST, job.number, "停")
    job = run(job)
    assert (town.place(other)[2], year.figures(FIRST.scope, job).kept) == (3, 1)
    assert violated() == []


def test_a_school_does_not_end_while_a_student_is_in_a_transfer(town: City) -> None:
    student, _ = town.pupils("小学", 2, 2)
    registry.SchoolClass.objects.create(school=town.schools[2], stage="小学", grade=2, name="1班")
    parameters = {"from": [town.schools[0].code], "into": town.schools[1].code}
    job = run(year.create_job(FIRST, "merge", "city", "", parameters))
    found = registry.student(Scope("city"), student)
    registry.ask_transfer(town.officer, found.education_id, "", town.schools[2].code, "搬家")
    year.confirm_job(SECOND, job.number)
    job = run(job)
    piece = Piece.objects.get(job=job)
    assert (piece.state, "在籍" in piece.error) == ("failed", True)
    assert town.place(student)[0] == town.schools[0].code
    assert violated() == []

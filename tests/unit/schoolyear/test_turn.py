"""Promotion and graduation: who goes, who stays and why, what becomes of the cards, and the way back."""

from datetime import timedelta

import pytest

from tests.unit.schoolyear.conftest import FIRST, KIND, SECOND, City, digest, done, run, violated
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.models import Piece, Thing
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.identity.scope import Scope

CITY = Scope("city")


def wont(job: year.Job) -> dict[str, int]:
    return {code: count for code, (count, _) in year.figures(CITY, job).wont.items()}


def refusal(code: str):
    return pytest.raises(Refused, match="") if not code else _Refusal(code)


class _Refusal:
    def __init__(self, code: str) -> None:
        self.code = code

    def __enter__(self) -> None: ...

    def __exit__(self, kind, value, trace) -> bool:
        assert getattr(value, "code", None) == self.code, value
        return True


def test_every_class_goes_one_grade_up_and_comes_back(town: City) -> None:
    low, mid = town.pupils("小学", 1), town.pupils("小学", 5)
    ill, stays, leaves, other = (town.pupils("小学", 2, 1)[0] for _ in range(4))
    registry.Student.objects.filter(id=ill).update(status="休学")
    officer = town.officer
    year.choose(officer, stays, "repeat")
    year.choose(officer, leaves, "leave", "转出")
    year.choose(officer, other, "class", "3班")
    [waits] = town.drafts(low[:1])
    [made] = town.planned(low[1:2])
    before = digest()

    job = done("promotion")
    code = town.schools[0].code
    assert [town.place(one) for one in low] == [(code, "小学", 2, "1班", "在校")] * 3
    assert town.place(mid[0]) == (code, "小学", 6, "1班", "在校")
    assert town.place(ill)[2] == town.place(stays)[2] == 2
    assert town.place(leaves)[2:] == (2, "1班", "转出")
    assert town.place(other)[2:] == (3, "3班", "在校")
    assert wont(job) == {"repeat": 1, "suspended": 1}
    assert Application.objects.get(id=waits).school_class.grade == 2
    assert Card.objects.get(id=made.id).school_class.grade == 2
    assert job.undo_until == clock.today() + timedelta(days=14)
    ended = registry.enrolments(CITY, low[0])
    assert [(stay.school_class.grade, stay.ended_by) for stay in ended] == [(1, "promoted"), (2, None)]
    assert violated() == []

    year.take_back_job(FIRST, job.number, "办错了")
    assert run(job).state == "taken_back"
    assert digest() == before
    assert year.figures(CITY, job).undone == 8
    assert violated() == []
    # And it may be done again.
    assert year.figures(CITY, done("promotion")).done == 8


def test_a_school_is_promoted_once_a_year_and_nobody_twice(town: City) -> None:
    town.pupils("小学", 1)
    done("promotion")
    again = run(year.create_job(FIRST, "promotion", "city"))
    assert Piece.objects.get(job=again, school=town.schools[0]).state == "blocked"
    with refusal("YEAR_NOTHING"):
        year.confirm_job(SECOND, again.number)
    # What a roster moved up already is not moved again.
    moved, rest = town.pupils("小学", 3, 1, school=1), town.pupils("小学", 4, 1, school=1)
    where = registry.SchoolClass.objects.get(school=town.schools[1], grade=4)
    registry.move_students(
        town.system,
        registry.Moves(
            moved, [registry.student(CITY, moved[0]).school_class_id], ["在校"], [where.id], ["在校"]
        ),
        "class",
    )
    year.cancel_job(FIRST, again.number)
    job = done("promotion", "school", town.schools[1].code)
    assert wont(job) == {"already": 1}
    assert town.place(moved[0])[2] == 4
    assert town.place(rest[0])[2] == 5


def test_the_graduating_grade_first(town: City) -> None:
    town.pupils("小学", 6, school=1)
    town.pupils("小学", 5, school=1)
    job = run(year.create_job(FIRST, "promotion", "school", town.schools[1].code))
    piece = Piece.objects.get(job=job)
    assert piece.state == "blocked"
    assert "请先办毕业" in piece.blockers[0]
    with refusal("YEAR_NOTHING"):
        year.confirm_job(SECOND, job.number)
    year.cancel_job(FIRST, job.number)
    done("graduation", "school", town.schools[1].code)
    assert year.figures(CITY, done("promotion", "school", town.schools[1].code)).done == 3


def test_five_four_schools_graduate_a_year_earlier(town: City) -> None:
    fifth = town.pupils("小学", 5, 1, school=1)
    registry.set_schooling(FIRST, town.schools[1].code, "five_four")
    done("graduation", "school", town.schools[1].code)
    assert town.place(fifth[0])[4] == "毕业"


def test_graduates_leave_with_their_cards_settled(town: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """Primary 6 of a primary school: the open application ends; the card stays, is limited or cancelled."""
    leaving = town.pupils("小学", 6, 3, school=1)
    [card] = town.active(leaving[:1])
    [open_one] = town.drafts(leaving[1:2])
    [in_box] = town.at_school(leaving[2:])
    known = rules()
    for rule, check in (("keep", None), ("limit", "card_limit"), ("cancel", "card_cancel")):
        changed = type(known.graduates["小学"])(rule)
        graduates = {**known.graduates, "小学": changed}
        monkeypatch.setattr(
            "xueka.contexts.schoolyear.services.running.rules", lambda g=graduates: _with(known, g)
        )
        until = Card.objects.get(id=card).valid_until
        job = done("graduation", "school", town.schools[1].code)
        assert town.place(leaving[0])[4] == "毕业"
        assert Application.objects.get(id=open_one).state == "withdrawn"
        assert Card.objects.get(id=in_box).state == "at_school"
        things = {one.thing: one for one in Thing.objects.filter(piece__job=job)}
        if check == "card_limit":
            assert str(Card.objects.get(id=card).valid_until) == "2026-12-31"
        if check == "card_cancel":
            assert str(things["card_cancel"].due_on) == "2026-12-31"
        year.take_back_job(SECOND, job.number, "再看")
        run(job)
        assert Card.objects.get(id=card).valid_until == until
        assert town.place(leaving[0])[4] == "在校"


def _with(known, graduates):
    from dataclasses import replace

    return replace(known, graduates=graduates)


def test_on_the_stated_day_cards_of_graduates_end_and_of_others_do_not(town: City) -> None:
    from xueka.contexts.schoolyear.jobs import end_cards

    registry.School.objects.filter(id=town.schools[1].id).update(stages=["高中"])
    gone, back = town.pupils("高中", 3, 1, school=1), town.pupils("高中", 3, 1, school=1)
    ids = town.active([*gone, *back])
    job = done("graduation", "school", town.schools[1].code)
    registry.Student.objects.filter(id=back[0]).update(status="在校")
    end_cards()
    assert [Card.objects.get(id=one).state for one in ids] == ["active", "active"]
    with clock.at(clock.now() + timedelta(days=130)):
        end_cards()
        assert [Card.objects.get(id=one).state for one in ids] == ["cancelled", "active"]
        with refusal("YEAR_TOO_LATE"):
            year.take_back_job(FIRST, job.number, "晚了")


def test_in_a_nine_year_school_the_next_stage_follows_with_a_new_card(town: City) -> None:
    up, kept = town.pupils("小学", 6, 2), town.pupils("小学", 6, 1)
    seventh = town.pupils("初中", 1, 1)
    town.active([*up, *kept])
    year.choose(town.officer, kept[0], "repeat")
    job = done("graduation")
    assert town.place(up[0])[1:] == ("初中", 1, "1班", "在校")
    assert town.place(kept[0])[1:3] == ("小学", 6)
    drafts = Application.objects.filter(account__student_id__in=up)
    assert {(each.reason, each.state) for each in drafts.exclude(reason="new")} == {("stage_change", "draft")}
    # The promotion that follows takes the old first grade of junior school up, not the new one.
    promoted = done("promotion")
    assert (town.place(up[0])[2], town.place(seventh[0])[2]) == (1, 2)
    assert wont(promoted)["already"] == 2
    with refusal("YEAR_DEPENDENT"):
        year.take_back_job(FIRST, job.number, "反悔")
    for each in (promoted, job):
        year.take_back_job(FIRST, each.number, "反悔")
        run(each)
    assert town.place(up[0])[1:3] == ("小学", 6)
    assert set(drafts.exclude(reason="new").values_list("state", flat=True)) == {"withdrawn"}


def test_the_next_roster_shows_a_new_stage_and_the_exchange_is_prepared(town: City) -> None:
    [student] = town.pupils("小学", 6, 1)
    town.active([student])
    junior = registry.SchoolClass.objects.create(school=town.schools[2], stage="初中", grade=1, name="1班")
    registry.Student.objects.filter(id=student).update(school=town.schools[2], school_class=junior)
    job = done("exchange", reason="stage_change")
    [made] = Application.objects.filter(account__student_id=student, reason="stage_change")
    assert (made.state, made.school_id) == ("draft", town.schools[2].id)
    assert year.figures(CITY, job).done == 1
    submitted = cards.upload_photo(town.system, student, _portrait(), "x.jpg")
    assert submitted
    assert cards.submit(town.system, [made.id]).done
    year.take_back_job(FIRST, job.number, "再看")
    run(job)
    assert (year.figures(CITY, job).undone, year.figures(CITY, job).kept) == (0, 1)
    made.refresh_from_db()
    assert made.state == "district_review"


def _portrait() -> bytes:
    from tests.unit.cards.conftest import PORTRAIT

    return PORTRAIT


def test_who_changed_meanwhile_is_left_alone(town: City) -> None:
    here = town.pupils("小学", 1, 3)
    job = run(year.create_job(FIRST, "promotion", "city"))
    registry.Student.objects.filter(id=here[0]).update(status="休学")
    late = town.pupils("小学", 1, 1)
    year.confirm_job(SECOND, job.number)
    run(job)
    assert [town.place(one)[2] for one in (*here, *late)] == [1, 2, 2, 1]
    figures = year.figures(CITY, job)
    assert (figures.planned, figures.done, figures.skipped) == (3, 2, 1)
    registry.move_students(town.system, _status(here[1], "退学"), "status")
    year.take_back_job(FIRST, job.number, "办错了")
    run(job)
    figures = year.figures(CITY, job)
    assert (figures.undone, figures.kept) == (1, 1)
    assert town.place(here[1])[2] == 2
    assert violated() == []


def _status(student_id: int, status: str) -> registry.Moves:
    found = registry.student(CITY, student_id)
    here = [found.school_class_id]
    return registry.Moves([student_id], here, [found.status], here, [status])


def test_who_may_do_what(town: City) -> None:
    town.pupils("小学", 1)
    job = run(year.create_job(FIRST, "promotion", "city"))
    with refusal("SECOND_PERSON"):
        year.confirm_job(FIRST, job.number)
    with pytest.raises(Forbidden):
        year.confirm_job(town.officer, job.number)
    with pytest.raises(Forbidden):
        year.create_job(town.officer, "promotion", "city")
    with pytest.raises(NotFound):
        year.create_job(town.officer, "promotion", "school", town.schools[1].code)
    with pytest.raises(Forbidden):
        year.create_job(town.district, "promotion", "district", town.schools[2].district_id)
    with refusal("YEAR_CITY_ONLY"):
        year.create_job(town.officer, "close", "school", town.schools[0].code)
    with pytest.raises(NotFound):
        year.job(town.other_district.scope, "XN26-99999")
    assert year.job(town.officer.scope, job.number) == job  # its school is in it
    year.cancel_job(FIRST, job.number)
    own = year.create_job(town.officer, "promotion", "school", town.schools[0].code)
    assert own.state == "previewed"
    assert year.confirm_job(town.officer, own.number).state == "confirmed"
    assert run(own).state == "done"
    with pytest.raises(BadInput):
        year.take_back_job(town.officer, own.number, "")
    with pytest.raises(NotFound):
        year.take_back_job(town.other_officer, own.number, "理由")


def test_new_classes_and_classes_that_become_one(town: City) -> None:
    town.pupils("小学", 2, 2, name="1班")
    two = town.pupils("小学", 2, 2, name="2班")
    school = town.schools[0].code
    job = done("new_classes", "school", school, count=3)
    first_graders = registry.SchoolClass.objects.filter(school=town.schools[0], grade=1, stage="小学")
    assert sorted(one.name for one in first_graders) == ["1班", "2班", "3班"]
    year.take_back_job(FIRST, job.number, "多了")
    run(job)
    assert [one.name for one in first_graders.all()] == ["1班"]
    with pytest.raises(BadInput):
        year.create_job(FIRST, "new_classes", "school", school, {"count": "99"})
    own = registry.SchoolClass.objects.get(school=town.schools[0], grade=2, name="2班")
    before = digest()
    merged = done("classes", "school", school, names={str(own.id): "1班"})
    assert {town.place(one)[3] for one in two} == {"1班"}
    year.take_back_job(FIRST, merged.number, "分开")
    run(merged)
    assert digest() == before


def test_lists_are_confirmed_before_where_the_city_asks_for_it(
    town: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    town.pupils("小学", 2, school=1)
    known = replace(rules(), promotion_needs_lists=True)
    monkeypatch.setattr("xueka.contexts.schoolyear.services.planning.rules", lambda: known)
    school = town.schools[1]
    job = year.create_job(FIRST, "promotion", "school", school.code)
    assert "名单没有确认" in Piece.objects.get(job=job).blockers[0]
    [to_come] = year.classes_to_come(CITY, school.id)
    with pytest.raises(NotFound):
        year.confirm_list(town.officer, to_come.school_class.id)
    year.confirm_list(town.other_officer, to_come.school_class.id)
    [to_come] = year.classes_to_come(CITY, school.id)
    assert (to_come.confirmed_by, to_come.students, to_come.next_rung) == (
        "officer2", 3, registry.Rung("小学", 3),
    )  # fmt: skip
    assert year.replan_job(FIRST, job.number).state == "previewed"
    assert Piece.objects.get(job=job).state == "planned"
    assert KIND


def test_the_stage_that_is_finished_decides_over_a_card_that_was_never_exchanged(town: City) -> None:
    registry.School.objects.filter(id=town.schools[1].id).update(stages=["高中"])
    with clock.at(clock.now() - timedelta(days=200)):
        [student] = town.pupils("小学", 6, 1)
        [card] = town.active([student])
        here = registry.student(CITY, student).school_class_id
        there = registry.SchoolClass.objects.create(school=town.schools[1], stage="高中", grade=3, name="1班")
        moves = registry.Moves([student], [here], ["在校"], [there.id], ["在校"])
        registry.move_students(town.system, moves, "moved")
    job = run(year.create_job(FIRST, "graduation", "school", town.schools[1].code))
    assert year.figures(CITY, job).also == {"close": 0, "cancel": 1}
    year.confirm_job(SECOND, job.number)
    run(job)
    [thing] = Thing.objects.filter(piece__job=job)
    assert (thing.thing, thing.object_id) == ("card_cancel", card)

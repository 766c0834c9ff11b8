"""Many students at once: whoever is where the move expects goes, with a history; everybody else stays."""

import pytest

from tests.support.registry import OPERATOR, SCHOOLS, clean, load
from xueka.contexts.registry.api import (
    Enrolment,
    Moves,
    Places,
    SchoolClass,
    Student,
    close_school,
    ensure_classes,
    move_students,
    remove_empty_classes,
    rename_school,
    reopen_school,
    set_schooling,
)
from xueka.contexts.registry.domain.ladder import Rung, next_rung, next_stage, timing_warnings
from xueka.contexts.registry.models import School
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.identity.actor import Actor

pytestmark = pytest.mark.usefixtures("schools")
SYSTEM = Actor.system("test")


def test_the_ladder_ends_where_the_schooling_says() -> None:
    assert next_rung("six_three", Rung("小学", 5)) == Rung("小学", 6)
    assert next_rung("five_four", Rung("小学", 5)) is None
    assert next_rung("five_four", Rung("初中", 3)) == Rung("初中", 4)
    assert next_rung("six_three", Rung("高中", 3)) is None
    assert next_stage("小学", ["小学", "初中"]) == Rung("初中", 1)
    assert next_stage("小学", ["小学"]) is None
    assert next_stage("高中", ["高中"]) is None


@pytest.mark.parametrize(
    ("rung", "day", "expected"),
    [
        (Rung("小学", 1), (10, 8), ["starting_grade"]),
        (Rung("小学", 1), (1, 31), ["starting_grade"]),
        (Rung("小学", 1), (2, 1), []),
        (Rung("小学", 3), (10, 8), []),
        (Rung("小学", 6), (3, 1), ["graduating_grade"]),
    ],
)
def test_transfers_have_their_times(rung: Rung, day: tuple[int, int], expected: list[str]) -> None:
    assert timing_warnings("six_three", rung, *day) == expected


def test_students_move_where_they_are_expected_and_nowhere_else() -> None:
    load(clean(4, schools=SCHOOLS[:1]))
    here = SchoolClass.objects.get()
    [to], [made] = ensure_classes(SYSTEM, Places([here.school_id], ["小学"], [2], ["1班"]))
    assert to == made
    assert ensure_classes(SYSTEM, Places([here.school_id], ["小学"], [2], ["1班"])) == ([to], [])
    ids = sorted(Student.objects.values_list("id", flat=True))
    Student.objects.filter(id=ids[0]).update(status="休学")
    moves = Moves(ids, [here.id] * 4, ["在校"] * 4, [to] * 4, ["在校"] * 4)
    assert move_students(SYSTEM, moves, "promoted") == ids[1:]
    assert move_students(SYSTEM, moves, "promoted") == []
    assert set(Enrolment.objects.values_list("student_id", "school_class_id", "reason")) == {
        (id_, here.id, "promoted") for id_ in ids[1:]
    }
    assert Student.objects.filter(school_class_id=to).count() == 3
    assert remove_empty_classes(SYSTEM, [here.id, to]) == 0
    [empty], _ = ensure_classes(SYSTEM, Places([here.school_id], ["小学"], [3], ["1班"]))
    assert remove_empty_classes(SYSTEM, [empty]) == 1
    with pytest.raises(Forbidden):
        move_students(OPERATOR, moves, "promoted")
    with pytest.raises(ValueError, match="unknown end"):
        move_students(SYSTEM, moves, "nonsense")


def test_a_school_is_renamed_closed_and_opened_again() -> None:
    load(clean(1, schools=SCHOOLS[:1]))
    school, other = School.objects.get(code=SCHOOLS[0][0]), School.objects.get(code=SCHOOLS[1][0])
    assert rename_school(SYSTEM, school.id, " 新名 ") == SCHOOLS[0][1]
    with pytest.raises(BadInput):
        rename_school(SYSTEM, school.id, "")
    with pytest.raises(Refused) as refusal:
        close_school(SYSTEM, school.id)
    assert refusal.value.code == "SCHOOL_NOT_EMPTY"
    Student.objects.update(status="毕业")
    closed = close_school(SYSTEM, school.id, merged_into=other.id)
    assert (closed.is_open, closed.merged_into_id) == (False, other.id)
    with pytest.raises(Refused):
        close_school(SYSTEM, school.id)
    found = load(clean(1, first=50, schools=SCHOOLS[:1]))
    assert [(error.code, error.line) for error in found.errors] == [("SCHOOL_CLOSED", 2)]
    assert reopen_school(SYSTEM, school.id).is_open
    assert set_schooling(OPERATOR, school.code, "five_four").schooling == "five_four"
    with pytest.raises(BadInput):
        set_schooling(OPERATOR, school.code, "seven")

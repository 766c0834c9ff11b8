"""Missing students decided on, runs taken back: what is restored, what is named because it cannot be."""

from datetime import timedelta

import pytest
from django.test import override_settings

from tests.support.machines import assert_every_pair
from tests.support.registry import OPERATOR, SCHOOLS, clean, school_officer
from tests.support.rosters import COLUMN
from tests.unit.registry.test_oneroster import T1, T2, bring, records, with_value
from xueka.contexts.registry import api
from xueka.contexts.registry.models import Absence, ImportRun, Student, StudentBefore, Transfer
from xueka.contexts.registry.oneroster.reverting import forget_befores
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.history.services import apply, begin
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db(databases=["default"])
SYSTEM = Actor.system("test")


def sound() -> None:
    found = {one.name: check(one).violated for one in api.INVARIANTS}
    assert not any(found.values()), found


def last_run() -> int:
    return ImportRun.objects.latest("id").id


def document_of(row: list[str]) -> dict[str, str]:
    """What goes with a document when it is somebody else's."""
    return {key: row[COLUMN[key]] for key in ("证件号码", "全国学籍号", "出生日期", "性别")}


def student(row: list[str]) -> Student:
    return Student.objects.get(education_id=row[COLUMN["教育ID"]])


def as_it_is(row: list[str]) -> tuple[object, ...]:
    found = student(row)
    return (
        found.name, found.sort_key, found.sex, found.status, found.school_class_id, bytes(found.envelope),
        bytes(found.id_index or b""), bytes(found.phone_index or b""), bytes(found.row_digest),
    )  # fmt: skip


def test_people_decide_on_the_missing(schools: None) -> None:
    rows = clean(6, schools=SCHOOLS[:1])
    bring(records(rows))
    bring(records(rows[3:]))
    first, second, third = Absence.objects.order_by("id")
    assert not api.may_go(OPERATOR.scope).exists()
    with pytest.raises(BadInput):
        api.decide_absences(OPERATOR, [first.id], "confirm", " ")
    with pytest.raises(NotFound):
        api.decide_absences(OPERATOR, [first.id, 0], "confirm", "电话核实")
    with pytest.raises(Forbidden):
        api.decide_absences(school_officer(SCHOOLS[0]), [first.id], "confirm", "电话核实")
    assert api.decide_absences(OPERATOR, [first.id], "confirm", "电话核实") == 1
    assert api.decide_absences(OPERATOR, [second.id], "keep", "还在上课") == 1
    assert [one.id for one in api.may_go(OPERATOR.scope)] == [first.id]
    with clock.at(clock.now() + timedelta(days=14)):
        assert {one.id for one in api.may_go(OPERATOR.scope)} == {first.id, third.id}
    Absence.objects.filter(id=third.id).update(held=True)
    with clock.at(clock.now() + timedelta(days=14)):
        assert [one.id for one in api.may_go(OPERATOR.scope)] == [first.id]
    sound()


def test_every_step_of_an_absence(schools: None) -> None:
    bring(records(clean(1)))
    missing = Absence.objects.create(
        student=Student.objects.get(), run=ImportRun.objects.get(kind="oneroster"), cause="deleted",
        state="missing", noticed_on=clock.today(), due_on=clock.today(), decided_by="x",
    )  # fmt: skip
    begin(api.ABSENCE, [missing.id], SYSTEM)

    def still() -> str:
        return Absence.objects.get(id=missing.id).state

    def attempt(event: str, state: str, to: str | None) -> str:
        Absence.objects.filter(id=missing.id).update(state=state)
        apply(api.ABSENCE, Absence, [missing.id], event, SYSTEM, to=to)
        return still()

    assert assert_every_pair(api.ABSENCE, attempt, still=still) == (9, 16)


def test_a_run_taken_back_restores_what_nothing_later_changed(schools: None) -> None:
    rows = clean(8, schools=SCHOOLS[:1])
    bring(records(rows))
    before = [as_it_is(row) for row in rows]
    # Two swap their documents, one gets another name and phone, one another class, one leaves; one is new.
    swapped = [
        with_value(rows[0], **document_of(rows[1])),
        with_value(rows[1], **document_of(rows[0])),
        with_value(rows[2], 姓名="欧阳文", 监护人手机="13900001111"),
        with_value(rows[3], 班级="9班"),
        with_value(rows[4], 学籍状态="转出"),
        with_value(rows[5], 姓名="后改名"),
    ]
    newcomer = clean(9, schools=SCHOOLS[:1])[8]
    report = bring(records([*swapped, *rows[6:7], newcomer]))  # rows[7] is left out
    assert (report.updated, report.created, report.left_out) == (6, 1, 1), report.as_dict()
    run = last_run()
    bring({"users": records([with_value(rows[5], 姓名="又改名")], at=T1)["users"]}, "delta")

    preview = api.revert_run(OPERATOR, run, preview=True)
    assert not StudentBefore.objects.exclude(outcome="applied").exists()
    done = api.revert_run(OPERATOR, run)
    assert preview.as_dict() == done.as_dict()
    assert done.as_dict() == {
        "restored": 5, "kept": {"changed": 1}, "examples": {"changed": [rows[5][COLUMN["教育ID"]]]},
        "created": 1, "transfers": 0, "absences": 1,
    }  # fmt: skip
    assert [as_it_is(row) for row in rows[:5]] == before[:5]
    assert student(rows[5]).name == "又改名"
    assert Absence.objects.get().state == "kept"
    sound()
    with pytest.raises(Refused) as refused:
        api.revert_run(OPERATOR, run)
    assert refused.value.code == "IMPORT_NOT_REVERTIBLE"
    assert bring(records(rows)).updated == 1  # only whom the way back could not reach


def test_a_number_that_somebody_else_holds_by_now_stays_hers(schools: None) -> None:
    rows = clean(3, schools=SCHOOLS[:1])
    bring(records(rows[:1]))
    number = document_of(rows[2])
    bring(records([with_value(rows[0], **number)]))
    run = last_run()
    taken = document_of(rows[0])
    bring(records([with_value(rows[0], **number), with_value(rows[1], **taken)]))
    done = api.revert_run(OPERATOR, run)
    assert dict(done.kept) == {"number_taken": 1}
    assert student(rows[0]).id_index != student(rows[1]).id_index
    sound()


def test_a_transfer_that_a_run_asked_is_withdrawn_with_it(schools: None) -> None:
    rows = clean(2, schools=SCHOOLS[:1])
    bring(records(rows))
    away = list(next(school for school in SCHOOLS if school[3] != SCHOOLS[0][3] and school[0][:2] == "21"))
    changed = records([with_value(rows[0], 学校标识码=away[0], 学校名称=away[1])], at=T2)
    bring({name: changed[name] for name in ("orgs", "classes", "enrollments")}, "delta")
    assert api.revert_run(OPERATOR, last_run()).transfers == 1
    assert Transfer.objects.get().state == "withdrawn"
    sound()


def test_which_runs_go_back_and_for_how_long(schools: None) -> None:
    rows = clean(2, schools=SCHOOLS[:1])
    bring(records(rows), dry_run=True)
    with pytest.raises(Refused):
        api.revert_run(OPERATOR, last_run())
    with pytest.raises(NotFound):
        api.revert_run(OPERATOR, 0)
    bring(records(rows))
    bring(records([with_value(rows[0], 姓名="新名字"), rows[1]]))
    run = last_run()
    with pytest.raises(Forbidden):
        api.revert_run(school_officer(SCHOOLS[0]), run)
    assert forget_befores() == 0
    with override_settings(ONEROSTER_BACK_DAYS=3), clock.at(clock.now() + timedelta(days=5)):
        with pytest.raises(Refused) as refused:
            api.revert_run(OPERATOR, run)
        assert refused.value.code == "IMPORT_TOO_OLD"
        assert forget_befores() == 1

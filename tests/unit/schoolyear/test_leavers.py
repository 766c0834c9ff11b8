"""What a package asks of cards: leavers lose theirs, changed ones are exchanged; by people only."""

from datetime import timedelta

import pytest
from django.db import transaction

from tests.support.oneroster import files_of
from tests.unit.schoolyear.conftest import FIRST, SECOND, City, digest, done, run, violated
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.models import Thing
from xueka.contexts.schoolyear.services.card_ends import end_due_cards
from xueka.contexts.schoolyear.services.steps import WORKER
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.crypto.fields import seal
from xueka.platform.identity.scope import Scope

CITY = Scope("city")
SEALED = {
    "birth_date": "2015-09-01", "id_type": "无证件", "id_number": "", "national_number": "", "address": "",
    "guardians": [],
}  # fmt: skip


def wont(job: year.Job) -> dict[str, int]:
    return {code: count for code, (count, _) in year.figures(CITY, job).wont.items()}


@transaction.atomic
def package(**users: dict[str, str]) -> registry.OneRosterReport:
    """A delta of users alone, by education ID."""
    rows = [
        {
            "sourcedId": f"u{education_id}", "identifier": education_id, "enabledUser": "true",
            "status": "active", "dateLastModified": clock.now().isoformat(), **values,
        }
        for education_id, values in users.items()
    ]  # fmt: skip
    roles = [
        {"sourcedId": f"r{row['sourcedId']}", "userSourcedId": row["sourcedId"], "role": "student"}
        for row in rows
    ]
    for role in roles:
        role |= {"status": "active", "dateLastModified": clock.now().isoformat(), "roleType": "primary"}
    return registry.import_oneroster(FIRST, files_of({"users": rows, "roles": roles}, "delta"), "delta")


def ids(students: list[int]) -> list[str]:
    return [registry.student(CITY, one).education_id for one in students]


def missing(students: list[int]) -> list[registry.Absence]:
    package(**{one: {"status": "tobedeleted"} for one in ids(students)})
    return list(registry.absence_rows(CITY).order_by("id"))


def test_leavers_go_after_two_people_and_their_cards_end(town: City) -> None:
    pupils = town.students(3)
    [card] = town.active(pupils[:1])
    [waits] = town.drafts(pupils[1:2])
    before = digest()
    first, second, _ = missing(pupils)
    with pytest.raises(Refused):  # nobody may go yet
        year.create_job(FIRST, "leavers", "city")
    registry.decide_absences(FIRST, [first.id, second.id], "confirm", "学校核实")
    job = run(year.create_job(FIRST, "leavers", "city"))
    figures = year.figures(CITY, job)
    assert (figures.planned, figures.also) == (2, {"close": 1, "cancel_now": 1})
    assert wont(job) == {"waiting": 1}
    assert digest() == before
    with pytest.raises(Refused):
        year.confirm_job(FIRST, job.number)
    year.confirm_job(SECOND, job.number)
    run(job)
    assert [town.place(one)[4] for one in pupils] == ["转出", "转出", "在校"]
    assert Application.objects.get(id=waits).state == "withdrawn"
    assert Card.objects.get(id=card).state == "active"
    end_due_cards(WORKER)
    assert Card.objects.get(id=card).state == "cancelled"
    assert not violated()

    year.take_back_job(FIRST, job.number, "核实有误")
    run(job)
    assert [town.place(one)[4] for one in pupils] == ["在校"] * 3
    assert Card.objects.get(id=card).state == "cancelled"  # and the result says so
    assert Thing.objects.get(thing="card_cancel").note == "carried_out"
    assert [one.state for one in registry.absence_rows(CITY).order_by("id")] == [
        "confirmed",
        "confirmed",
        "missing",
    ]
    assert not violated()


def test_who_shows_up_again_stays_and_keeps_her_card(town: City) -> None:
    pupils = town.students(2, envelope=seal(SEALED))
    card, other = town.active(pupils)
    missing(pupils)
    with clock.at(clock.now() + timedelta(days=15)):
        job = run(year.create_job(FIRST, "leavers", "city"))
        [back, _] = ids(pupils)
        assert package(**{back: {"familyName": "赵", "givenName": "敏"}}).returned == 1
        year.confirm_job(SECOND, job.number)
        run(job)
        assert [town.place(one)[4] for one in pupils] == ["在校", "转出"]
        end_due_cards(WORKER)
        states = dict(Card.objects.values_list("id", "state"))
        assert (states[card], states[other]) == ("active", "cancelled")
        # Read anew, whoever left and is shown again is at school again.
        [_, gone] = ids(pupils)
        package(**{gone: {"familyName": "钱", "givenName": "枫", "metadata.bj.status": "在校"}})
        assert town.place(pupils[1])[4] == "在校"
    assert not violated()


def test_so_many_at_once_wait_for_a_person(town: City, settings: object) -> None:
    settings.ONEROSTER_LEAVERS = 1  # type: ignore[attr-defined]
    pupils = town.students(2)
    found = missing(pupils)
    assert all(one.held for one in found)
    with clock.at(clock.now() + timedelta(days=30)):
        with pytest.raises(Refused):
            year.create_job(FIRST, "leavers", "city")
        registry.decide_absences(FIRST, [found[0].id], "confirm", "学校核实")
        job = run(year.create_job(FIRST, "leavers", "city"))
        assert wont(job) == {"held": 1}


def test_a_card_that_shows_another_name_is_exchanged_and_the_run_goes_back_after_it(town: City) -> None:
    pupils = town.students(3, envelope=seal(SEALED))
    town.active(pupils[:2])
    [named, at_home, without] = ids(pupils)
    report = package(
        **{
            named: {"familyName": "赵", "givenName": "敏"},
            at_home: {
                "familyName": "学生",
                "givenName": at_home.lstrip("0"),
                "metadata.bj.address": "样例路1号",
            },
            without: {"familyName": "钱", "givenName": "枫"},
        }
    )
    assert report.updated == 3, report.as_dict()
    imported = registry.ImportRun.objects.latest("id")
    assert {one.student_id for one in registry.printed_changes(imported.id)} == {pupils[0], pupils[2]}
    job = done("exchange", reason="data_change", of_run=imported.id)
    [drafted] = Application.objects.filter(reason="data_change")
    assert (drafted.account.student_id, drafted.state) == (pupils[0], "draft")
    with pytest.raises(Refused) as refused:
        year.revert_run(FIRST, imported.id)
    assert refused.value.code == "IMPORT_DEPENDENT"
    year.take_back_job(FIRST, job.number, "姓名有误")
    run(job)
    assert Application.objects.get(id=drafted.id).state == "withdrawn"
    with transaction.atomic():
        assert year.revert_run(FIRST, imported.id).restored == 3
    assert cards.live_cards_of(pupils)
    with pytest.raises(BadInput):
        year.create_job(FIRST, "exchange", "city", "", {"reason": "data_change", "of_run": imported.id})
    assert not violated()

"""What the student registry says by REST, down to the cards: exchanged, cancelled, or left alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import transaction

from tests.support.rosters import COLUMN, Row, roster_rows
from tests.support.student_registry import Registry, person, registry_beside
from tests.unit.cards.conftest import NOW
from tests.unit.schoolyear.conftest import FIRST, SECOND, City, done, run, violated
from xueka.contexts.cards import api as cards
from xueka.contexts.cards.models import Application, Card
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear import api as year
from xueka.contexts.schoolyear.services.card_ends import end_due_cards
from xueka.contexts.schoolyear.services.steps import WORKER
from xueka.kernel import clock
from xueka.kernel.errors import Forbidden, Refused
from xueka.platform.identity.scope import Scope

CITY = Scope("city")


@pytest.fixture
def other_side(town: City, tmp_path: Path, settings: LazySettings) -> Iterator[Registry]:
    with registry_beside(tmp_path / "registry", settings) as made:
        yield made


def rows_of(town: City, count: int) -> list[Row]:
    """Pupils of the town's first class."""
    return list(roster_rows([row_of(town, 0)], count))


def row_of(town: City, place: int) -> Row:
    school = town.schools[place]
    name, district = school.name, school.district_id
    return [school.code, name, "", district, "", "小学", "本部", "样例路1号", "收发室"]


def at(other_side: Registry, **later: float) -> AbstractContextManager[object]:
    """Both sides' clocks so much later."""
    moment = NOW + timedelta(**later)
    other_side.house.clock.set(moment.isoformat())
    return clock.at(moment)


def brought(fetch: registry.OneRosterFetch) -> registry.ImportRun:
    assert fetch.run, fetch.problem
    return fetch.run


def pupils_of(rows: list[Row]) -> list[int]:
    return [registry.student(CITY, row[COLUMN["教育ID"]]).id for row in rows]


def states(card_ids: list[int]) -> list[str]:
    found = dict(Card.objects.values_list("id", "state"))
    return [found[one] for one in card_ids]


def test_another_name_is_an_exchange_and_a_leaver_loses_her_card(town: City, other_side: Registry) -> None:
    rows = rows_of(town, 4)
    users = other_side.enter(rows)
    assert brought(other_side.fetch()).created == 4
    pupils = pupils_of(rows)
    held = town.active(pupils)
    with at(other_side, days=2):
        other_side.roll.correct(users[0], {"name": "欧阳文"})
        other_side.roll.correct(users[1], {"guardian_phone": "13900001111"})
        other_side.roll.leave(users[2])
        changed = brought(other_side.fetch())
        assert (changed.updated, changed.report["deleted"], changed.rejected) == (2, 1, 0), changed.report
        assert states(held) == ["active"] * 4  # nothing happens to a card by the import

        assert [each.student_id for each in registry.printed_changes(changed.id)] == pupils[:1]
        exchange = done("exchange", reason="data_change", of_run=changed.id)
        [draft] = Application.objects.filter(reason="data_change")
        assert (draft.account.student_id, draft.state) == (pupils[0], "draft")

        [gone] = registry.absence_rows(CITY)
        registry.decide_absences(FIRST, [gone.id], "confirm", "学校核实")
        leavers = run(year.create_job(FIRST, "leavers", "city"))
        year.confirm_job(SECOND, leavers.number)
        run(leavers)
        end_due_cards(WORKER)
        assert states(held) == ["active", "active", "cancelled", "active"]
        assert town.place(pupils[2])[4] == "转出"

        with pytest.raises(Refused) as refused:
            year.revert_run(FIRST, changed.id)
        assert refused.value.code == "IMPORT_DEPENDENT"
        for job in (leavers, exchange):  # the later one first
            year.take_back_job(FIRST, job.number, "核实有误")
            run(job)
        assert (states(held)[2], town.place(pupils[2])[4]) == ("cancelled", "在校")
        with transaction.atomic():
            assert year.revert_run(FIRST, changed.id).restored == 2
        assert registry.student(CITY, pupils[0]).name == rows[0][COLUMN["姓名"]]
        assert Application.objects.get(id=draft.id).state == "withdrawn"
    assert not violated()


def test_to_another_district_by_both_sides_word_and_then_another_card(
    town: City, other_side: Registry
) -> None:
    rows = rows_of(town, 3)
    users = other_side.enter(rows)
    other_side.fetch()
    pupils = pupils_of(rows)
    held = town.active(pupils)
    away = [person(row) for row in roster_rows([row_of(town, 2)], 2)]
    with at(other_side, days=1):
        for user, there in zip(users, away, strict=False):
            other_side.roll.move(user, there)
        moved = brought(other_side.fetch())
        assert (moved.report["transfers"], moved.report["moved"]) == (2, 0), moved.report
        assert {one.state for one in registry.Transfer.objects.all()} == {"open"}
        asked = registry.Transfer.objects.get(student_id=pupils[0])
        with pytest.raises(Forbidden):
            registry.confirm_transfer(town.other_district, asked.id, "release")
        registry.confirm_transfer(town.district, asked.id, "release")
        assert town.place(pupils[0])[0] == town.schools[0].code  # one side's word moves nobody
        assert not registry.printed_changes(moved.id)
    with at(other_side, days=2):  # the registry corrects itself before both have answered
        other_side.roll.move(users[1], person(rows[1]))
        later = brought(other_side.fetch())
        assert later.report["transfers"] == 0, later.report
        asked.refresh_from_db()
        assert (asked.state, bool(asked.released_by)) == ("open", True)
        assert registry.Transfer.objects.get(student_id=pupils[1]).state == "withdrawn"
        registry.confirm_transfer(town.other_district, asked.id, "accept")
        assert [town.place(one)[0] for one in pupils] == [
            town.schools[place].code for place in (2, 0, 0)
        ]  # fmt: skip
        assert states(held) == ["active"] * 3
        done("exchange", reason="transfer")
        [draft] = Application.objects.filter(reason="transfer")
        assert (draft.account.student_id, draft.school_id) == (pupils[0], town.schools[2].id)
        again = brought(other_side.fetch(full=True))
        assert (again.unchanged, again.updated, again.report["transfers"]) == (3, 0, 0), again.report
        assert other_side.agrees()
    assert cards.live_cards_of(pupils)
    assert not violated()


def test_one_student_twice_and_what_comes_late(town: City, other_side: Registry) -> None:
    rows = rows_of(town, 2)
    with at(other_side, hours=-5):
        users = other_side.enter(rows)
    with at(other_side, hours=0):
        other_side.fetch()
    held = town.active(pupils_of(rows))
    with at(other_side, hours=1):
        with other_side.house.store.work():
            other_side.roll.put({**person(rows[0]), "id": "u-again", "name": "重复人"})
        twice = brought(other_side.fetch())
        assert (twice.rejected, twice.updated) == (1, 0), twice.report
        [error] = twice.report["errors"]
        assert error["code"] == "ONEROSTER_TWICE" and "users 记录 u-again" in error["message"]
        other_side.roll.purge("users", "u-again")
        other_side.roll.correct(users[1], {"name": "后改名"})
        assert brought(other_side.fetch()).updated == 1
    with at(other_side, hours=2):
        # Dated before what was brought in, stored after it: the overlap finds it. Older than hers: left out.
        for user, hours, name in ((users[0], 0, "迟到名"), (users[1], -1, "早先名")):
            moment = (NOW + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            other_side.roll.correct(user, {"name": name}, at=moment)
        late = brought(other_side.fetch())
        assert late.updated == 1, late.report
        assert [each["code"] for each in late.report["warnings"]] == ["ONEROSTER_STALE"]
        assert [registry.student(CITY, one).name for one in pupils_of(rows)] == ["迟到名", "后改名"]
        assert [one.student.name for one in registry.printed_changes(late.id)] == ["迟到名"]
    assert states(held) == ["active"] * 2
    assert not violated()

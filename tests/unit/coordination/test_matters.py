"""Matters with the counterpart groups: due days, steps, files; what is wrong is caught."""

from datetime import date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from tests.support.machines import assert_every_pair
from xueka.contexts.coordination import api as coordination
from xueka.contexts.coordination.models import Line, Matter
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.history import services as history
from xueka.platform.identity import services as identity
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.invariants import check

pytestmark = pytest.mark.django_db
ACTOR = Actor.in_role("operator", "王芳", "city_operator", Scope("city"))
SCOPE = ACTOR.scope
#: The Friday before the National Day holiday of 2026 (1 to 7 October; 10 October is worked).
FRIDAY = datetime(2026, 9, 25, 10, tzinfo=clock.SHANGHAI)


def opened(party: str = "transit", kind: str = "schedule", **more: str) -> Matter:
    return coordination.open_matter(ACTOR, party, kind, "十月排产", **more)


def test_it_is_due_in_working_days_and_the_days_are_configuration(settings: object) -> None:
    with clock.at(FRIDAY):
        found = opened()
        assert found.due_on == date(2026, 10, 9)  # 28, 29, 30 September; 8, 9 October
        plain = coordination.days_for("transit", "schedule")
        settings.COORDINATION_DAYS = {"transit.schedule": 1}  # type: ignore[attr-defined]
        sooner = opened()
    assert plain == 5 and sooner.due_on < found.due_on
    assert found.number.startswith("XT26-") and found.owner == "operator"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("card", "1000751"), ("batch", "B9"), ("interface", "moon"), ("difference", "7"), ("difference", "x"),
     ("message", "out:7"), ("message", "up:7"), ("message", "7"), ("parcel", "YJ1")],
)  # fmt: skip
def test_what_it_is_about_has_to_be_there(kind: str, name: str) -> None:
    with pytest.raises(BadInput) as unknown:
        opened(about_kind=kind, about=name)
    assert unknown.value.code == "ABOUT_UNKNOWN" and unknown.value.found == name
    assert not Matter.objects.exists()


def test_a_year_without_notice_is_counted_by_weekdays_and_says_so() -> None:
    with clock.at(datetime(2031, 12, 30, 10, tzinfo=clock.SHANGHAI)):
        found = opened()
    assert found.due_on == date(2032, 1, 6)
    assert "推算" in coordination.file_of(found)[0].text


def test_from_the_question_to_the_end_with_everything_on_file() -> None:
    identity.create_user(Actor.system("test"), "second", "冯杰", "city_operator")
    found = opened(about_kind="interface", about="sms", text="请确认")
    coordination.step(ACTOR, found.id, "ask", "发函")
    coordination.note(ACTOR, found.id, "电话催问")
    coordination.step(ACTOR, found.id, "answer", "下周一")
    assert coordination.pressing(SCOPE) == 1
    coordination.step(ACTOR, found.id, "ask", "周一太晚")
    coordination.assign(ACTOR, found.id, "second")
    coordination.set_due(ACTOR, found.id, found.due_on + timedelta(days=7), "对方放假")
    done = coordination.step(ACTOR, found.id, "finish", "已到货")
    assert [each.kind for each in coordination.file_of(done)] == [
        "due", "step", "note", "step", "step", "owner", "due", "step",
    ]  # fmt: skip
    assert coordination.about(SCOPE, "interface", "sms") == [done] and done.owner == "second"
    with pytest.raises(Refused):
        coordination.assign(ACTOR, found.id, "second")
    assert [each.name for each in coordination.INVARIANTS if check(each).violated] == []
    assert all(check(each).checked for each in coordination.INVARIANTS)


def test_overdue_ones_come_first_and_count() -> None:
    late = opened()
    other = opened("courier", "parcel")
    ended = opened()
    coordination.step(ACTOR, ended.id, "cancel", "不用了")
    yesterday = clock.today() - timedelta(days=1)
    Matter.objects.filter(id__in=[late.id, ended.id]).update(due_on=yesterday)
    rows = coordination.matters(SCOPE).order_by("stage", "due_on", "id")
    assert [each.number for each in rows] == [late.number, other.number, ended.number]
    assert coordination.counts(SCOPE)["transit"] == (1, 1, 0)
    assert coordination.counts(SCOPE)["courier"] == (1, 0, 0)
    assert len(coordination.counts(SCOPE)) == 7
    assert coordination.pressing(SCOPE) == 1


def test_what_is_wrong_is_refused() -> None:
    for party, kind in (("nobody", "data"), ("transit", "sign_on")):
        with pytest.raises(BadInput):
            opened(party, kind)
    for more in ({"about": "x"}, {"about_kind": "card"}, {"about_kind": "moon", "about": "x"}):
        with pytest.raises(BadInput):
            opened(**more)
    with pytest.raises(NotFound):
        opened(owner="nobody-of-that-name")
    found = opened()
    with pytest.raises(BadInput):
        coordination.step(ACTOR, found.id, "ask", " ")
    with pytest.raises(BadInput):
        coordination.set_due(ACTOR, found.id, clock.today() - timedelta(days=1), "x")
    with pytest.raises(NotFound):
        coordination.matter(Scope("district", "110108"), found.number)
    with pytest.raises(Forbidden):
        coordination.note(Actor.in_role("a", "审计", "auditor", Scope("city")), found.id, "x")


def test_an_owner_is_somebody_who_can_do_it() -> None:
    system, found = Actor.system("test"), opened()
    identity.create_user(system, "watcher", "李审", "auditor")
    identity.create_user(system, "gone", "赵离", "city_operator")
    identity.deactivate(system, "gone", "调离")
    for nobody in ("watcher", "gone"):
        with pytest.raises(Refused) as refused:
            coordination.assign(ACTOR, found.id, nobody)
        assert refused.value.code == "OWNER_CANNOT"
    with pytest.raises(Refused):
        opened(owner="gone")


def test_every_pair_of_state_and_event() -> None:
    def fire(event: str, state: str, to: str | None) -> str:
        found = opened()
        if state != "open":
            Matter.objects.filter(id=found.id).update(state=state)
        coordination.step(ACTOR, found.id, event, "试")
        return str(Matter.objects.get(id=found.id).state)

    assert_every_pair(coordination.MATTER, fire)


def test_a_file_is_never_changed_and_a_matter_never_deleted() -> None:
    found = opened()
    for sql in (
        f"UPDATE coordination_line SET text = 'x' WHERE matter_id = {found.id}",
        f"DELETE FROM coordination_matter WHERE id = {found.id}",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_each_invariant_is_violated_once() -> None:
    found = opened()
    coordination.step(ACTOR, found.id, "ask", "发函")
    wrong = {
        "matter_state_equals_last_history_row": lambda: Matter.objects.update(state="done"),
        "matter_files_are_whole": lambda: Line.objects.create(
            matter=found, seq=9, kind="note", text="x", at=clock.now(), by="x"
        ),
        "matter_steps_allowed": lambda: history._write(
            "matter", [(found.id, "asked", "open")], "answer", ACTOR
        ),
    }
    known = {each.name: each for each in coordination.INVARIANTS}
    for name, violate in wrong.items():
        with transaction.atomic():
            violate()
            assert check(known[name]).violated, name
            transaction.set_rollback(True)

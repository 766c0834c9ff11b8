"""The delivery plan: planned by two, handed over by one, its arrival heard by another."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from tests.unit.keys.conftest import FIRST, LEADER, NOW, SECOND, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import KeyDelivery
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.identity.scope import Scope

pytestmark = pytest.mark.usefixtures("demo_keys")
LABEL = "education.mf.control"
PLAN = {
    "version": 1, "receiver_kind": "counter", "receivers": "东城柜台\n\n  西城  柜台 \n", "way": "sam",
    "due_on": "2026-03-09",
}  # fmt: skip


def planned(**more: object) -> list[KeyDelivery]:
    before = set(KeyDelivery.objects.values_list("pk", flat=True))
    changed("deliver", LABEL, **{**PLAN, **more})
    return list(KeyDelivery.objects.exclude(pk__in=before).order_by("id"))


def code(refusal: pytest.ExceptionInfo[XuekaError]) -> str:
    return refusal.value.code


def test_planned_sent_and_arrived() -> None:
    first, second = planned()
    assert [first.receiver, second.receiver] == ["东城柜台", "西城 柜台"]
    assert (first.state, first.number[-3:], second.number[-3:]) == ("planned", "-01", "-02")
    sent = keys.send_delivery(FIRST, first.number, "  SAM  0017 ")
    assert (sent.state, sent.reference, sent.sent_by) == ("sent", "SAM 0017", "first")
    with pytest.raises(Refused) as refusal:
        keys.delivery_arrives(FIRST, first.number, sent.version.kcv)
    assert code(refusal) == "SAME_PERSON"
    with pytest.raises(Refused) as refusal:
        keys.delivery_arrives(SECOND, first.number, "000000")
    assert code(refusal) == "KEY_DELIVERY_KCV"
    assert sent.version.kcv not in str(refusal.value.as_dict())  # who mistyped is not told the right one
    with pytest.raises(BadInput):
        keys.delivery_arrives(SECOND, first.number, "0")
    with pytest.raises(Forbidden):
        keys.delivery_arrives(LEADER, first.number, sent.version.kcv)
    kcv = sent.version.kcv
    there = keys.delivery_arrives(SECOND, first.number, f"{kcv[:2]} {kcv[2:]}".upper())
    assert (there.state, there.arrived_by, there.kcv) == ("arrived", "second", kcv)
    actions = Entry.objects.filter(object_id=LABEL).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["key.ask", "key.confirm", "key.delivery_send", "key.delivery_arrive"]


def test_what_was_not_handed_over_goes_back_and_may_be_cancelled() -> None:
    row = planned(receivers=["东城柜台"])[0]
    keys.send_delivery(FIRST, row.number, "x")
    with pytest.raises(BadInput):
        keys.recall_delivery(FIRST, row.number, " ")
    back = keys.recall_delivery(SECOND, row.number, "柜台没有开门")
    assert (back.state, back.sent_by, back.reference) == ("planned", "", "")
    assert keys.cancel_delivery(FIRST, row.number, "不用了").state == "cancelled"
    with pytest.raises(Refused):
        keys.send_delivery(FIRST, row.number, "x")
    again = planned(receivers=["东城柜台"])  # the place in the plan is free
    assert again[0].state == "planned"


def test_what_did_not_arrive_is_ended_by_another_person() -> None:
    row = planned(receivers=["东城柜台"])[0]
    keys.send_delivery(FIRST, row.number, "x")
    with pytest.raises(Refused) as refusal:
        keys.lose_delivery(FIRST, row.number, "丢了")
    assert code(refusal) == "SAME_PERSON"
    assert keys.lose_delivery(SECOND, row.number, "丢了").state == "lost"
    with pytest.raises(Refused):
        keys.delivery_arrives(SECOND, row.number, row.version.kcv)


def test_to_one_receiver_once() -> None:
    planned()
    with pytest.raises(Conflict) as refusal:
        planned(receivers="海淀柜台\n西城 柜台")
    assert (code(refusal), refusal.value.where) == ("KEY_DELIVERY_PLANNED", "西城 柜台")
    assert planned(receiver_kind="bureau", receivers="西城 柜台")
    row = KeyDelivery.objects.first()
    assert row is not None
    with pytest.raises(DatabaseError, match="keys_delivered_once"), transaction.atomic():
        row.pk = None
        row.number = "other"
        row.save(force_insert=True)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"receivers": " \n "}, "KEY_CHANGE_PARAM"),
        ({"receivers": [" "]}, "KEY_RECEIVERS"),
        ({"receivers": [7]}, "KEY_RECEIVERS"),
        ({"receivers": 7}, "KEY_RECEIVERS"),
        ({"receivers": "甲\n乙\n甲"}, "KEY_RECEIVERS"),
        ({"receivers": "甲" * 65}, "KEY_RECEIVERS"),
        ({"receivers": [str(number) for number in range(51)]}, "KEY_RECEIVERS"),
        ({"receiver_kind": "moon"}, "KEY_DELIVERY_PLAN"),
        ({"way": "pigeon"}, "KEY_DELIVERY_PLAN"),
        ({"due_on": "soon"}, "KEY_DELIVERY_PLAN"),
        ({"version": 9}, "KEY_VERSION_NOT_FOUND"),
    ],
)
def test_a_plan_that_is_wrong(more: dict[str, object], expected: str) -> None:
    with pytest.raises(XuekaError) as refusal:
        planned(**more)
    assert code(refusal) == expected
    assert not KeyDelivery.objects.exists()


def test_as_many_receivers_as_may_be() -> None:
    assert len(planned(receivers=["甲" * 64, *(str(number) for number in range(49))])) == 50


def test_a_version_out_of_service_is_not_delivered() -> None:
    row = planned(receivers=["东城柜台"])[0]
    changed("rotate", LABEL)
    changed("retire", LABEL, version=1)
    with pytest.raises(Refused) as refusal:
        keys.send_delivery(FIRST, row.number, "x")
    assert (code(refusal), refusal.value.found) == ("KEY_STATE", "已停用")
    with pytest.raises(Refused) as refusal:
        planned(receivers=["西城柜台"])
    assert code(refusal) == "KEY_STATE"


@pytest.mark.parametrize("reference", ["", "  ", "x" * 65])
def test_handed_over_with_something(reference: str) -> None:
    row = planned(receivers=["东城柜台"])[0]
    with pytest.raises(BadInput) as refusal:
        keys.send_delivery(FIRST, row.number, reference)
    assert code(refusal) == "KEY_DELIVERY_REFERENCE"


def test_late_ones_and_strangers() -> None:
    first, second = planned()
    with clock.at(NOW + timedelta(days=7)):
        assert not keys.late_deliveries(keys.deliveries(FIRST.scope)).exists()
    with clock.at(NOW + timedelta(days=8)):
        keys.send_delivery(FIRST, first.number, "x")
        assert set(keys.late_deliveries(keys.deliveries(FIRST.scope))) == {first, second}
        keys.delivery_arrives(SECOND, first.number, first.version.kcv)
        assert list(keys.late_deliveries(keys.deliveries(FIRST.scope))) == [second]
    school = Scope("school", "110101", "1")
    assert not keys.deliveries(school).exists()
    for number in (first.number, "JF00-0000-00"):
        with pytest.raises(NotFound):
            keys.delivery(school if number == first.number else SYSTEM.scope, number)
    with pytest.raises(NotFound):
        keys.send_delivery(FIRST, "JF00-0000-00", "x")


def test_the_database_keeps_what_was_planned() -> None:
    row = planned(receivers=["东城柜台"])[0]
    for change in ({"receiver": "别人"}, {"state": "arrived"}, {"state": "sent"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            KeyDelivery.objects.filter(pk=row.pk).update(**change)
    keys.cancel_delivery(FIRST, row.number, "不用了")
    with pytest.raises(DatabaseError, match="its end stays"), transaction.atomic():
        KeyDelivery.objects.filter(pk=row.pk).update(state="planned")

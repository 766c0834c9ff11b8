"""What is linked with a card beside the exchange stands in its trace: its parcels, messages, and files."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.support.commands import Run, xueka
from tests.support.couriers import Desk
from tests.unit.cards.conftest import City
from tests.unit.couriers.conftest import COUNTER, OPERATOR, asked, ordered, ready_to_post
from tests.unit.couriers.test_school import packed, sent
from tests.unit.replacements.conftest import Families
from tests.unit.transit.test_pages import operator
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.logistics import api as logistics
from xueka.contexts.operations import api as operations
from xueka.contexts.operations import queries
from xueka.contexts.registry.models import ImportRun, OneRosterFetch, StudentChange
from xueka.entrypoints.portals.objects import card_views
from xueka.kernel import clock
from xueka.platform.exchange.services import post
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

__all__ = ["operator", "xueka"]
pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = Actor.in_role("a", "a", "city_admin", Scope("city"))


@pytest.fixture
def city(family: Families) -> City:
    return family.city


def posted(family: Families, desk: Desk) -> tuple[couriers.Shipment, cards.Card]:
    made, card = ready_to_post(family)
    shipment = ordered(made)
    with transaction.atomic():
        couriers.hand_over(COUNTER, shipment.id)
    asked(desk, 200)
    return shipment, card


def beside(number: str, way: str, actor: Actor = OPERATOR) -> list[operations.Beside]:
    lines = operations.trace(actor, [f"card:{number}"]).lines
    return [each for each in lines if isinstance(each, operations.Beside) and each.way == way]


def test_parcels_messages_and_files_stand_between_the_messages(
    family: Families, desk: Desk, operator: Client, xueka: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipment, card = posted(family, desk)
    now = clock.now()
    read = ImportRun.objects.create(
        kind="oneroster",
        file_name="x.zip",
        sm3=b"0" * 32,
        dry_run=False,
        at=now + timedelta(minutes=1),
        actor="x",
    )
    OneRosterFetch.objects.create(
        full=False, asked_by="x", started_at=now, fetched_at=now, ended_at=now, run=read
    )
    StudentChange.objects.create(student_id=card.student_id, run=read, line=7)
    with transaction.atomic():
        post("beijing-tong", "card.status", f"card:{card.number}", {"card": card.number})

    traced = operations.trace(OPERATOR, [f"card:{card.number}"])
    assert [each.at for each in traced.lines] == sorted(each.at for each in traced.lines)
    assert not traced.cut and len(traced.lines) > 5
    heard = [each.what for each in beside(card.number, "courier") if each.direction == "in"]
    assert heard == [couriers.STATUSES[each.status] for each in couriers.events(shipment)] and len(heard) > 2
    [order] = [each for each in beside(card.number, "courier") if each.direction == "out"]
    assert order.number == shipment.number and shipment.waybills.get().number in order.said
    texts = [(each.what, each.said) for each in beside(card.number, "message")]
    assert ("新卡寄出", "138****0001") in texts
    assert "13800000001" not in repr(traced)
    [file] = beside(card.number, "file")
    assert (file.who, file.number) == ("学籍接口", str(read.id)) and "第 7 行" in file.said

    # The card that is replaced was told of with it, and travelled in no parcel; another child's has nothing.
    old = card.application.replacement.old_card
    assert [each.what for each in beside(old.number, "message")] == [what for what, _ in texts]
    assert beside(old.number, "courier") == []
    other = family.card(family.child())
    assert operations.trace(OPERATOR, [f"card:{other.number}"]).lines == []
    # Whoever may not read messages to phones reads none here.
    assert beside(card.number, "message", ADMIN) == [] != beside(card.number, "courier", ADMIN)

    page = operator.get(reverse("city:trace"), {"q": card.number}).content.decode()
    for word in (
        "卡状态",
        "已揽收",
        "新卡寄出",
        "138****0001",
        reverse("city:parcel", args=[shipment.number]),
    ):
        assert word in page, word
    code, told = xueka("interop", "trace", card.number)
    assert code == 0 and len(told["beside"]) + len(told["messages"]) == len(traced.lines)

    monkeypatch.setattr(queries, "MOST", 3)
    short = operations.trace(OPERATOR, [f"card:{card.number}"])
    assert short.cut and list(short.lines) == list(traced.lines[-3:]), "the newest"


def test_of_a_schools_parcels_a_card_was_in_one(family: Families, desk: Desk) -> None:
    delivery = packed(family.city, capacity=2, number=3)
    shipment = sent(desk, delivery)
    with transaction.atomic():
        couriers.hand_over(OPERATOR, shipment.id)
    asked(desk, 200)
    for box in logistics.boxes_of(delivery):
        own = [each for each in couriers.events(shipment) if each.waybill.box_id == box.id]
        for place in logistics.contents(box):
            told = couriers.told_of_card(EVERYWHERE, place.card_id, 99)
            assert told and {each.id for each in told} == {each.id for each in own}


def test_the_page_of_a_card_says_who_has_it_and_leads_to_its_trace(
    family: Families, desk: Desk, operator: Client
) -> None:
    made, card = ready_to_post(family)

    def page(number: str = card.number) -> str:
        return operator.get(reverse("objects:card", args=[number])).content.decode()

    def held(card_id: int = card.id) -> tuple[str, object]:
        now = couriers.held(cards.card(EVERYWHERE, card_id), couriers.custody(EVERYWHERE, card_id))
        assert now is not None
        return now.who, now.since

    ready = cards.card(EVERYWHERE, card.id)
    assert held() == ("柜台", ready.state_at) and "柜台" in page()
    shipment = ordered(made)
    assert held() == ("柜台", ready.state_at), "nobody has fetched it"
    with transaction.atomic():
        couriers.hand_over(COUNTER, shipment.id)
    handed_over = couriers.custody(EVERYWHERE, card.id)[-1].at
    assert held() == (shipment.carrier, handed_over)
    shown = page()
    assert f"{reverse('city:trace')}?q={card.number}" in shown
    assert shipment.carrier in shown and shipment.number in shown and "承运商" in shown
    asked(desk, 500)
    given = cards.card(EVERYWHERE, card.id)
    assert given.state == "active" and held() == ("学生", given.state_at)

    # Lost and found again, it has been the child's since it was handed out.
    with transaction.atomic():
        cards.report_lost(OPERATOR, card.id, "x")
    assert held()[0] == "不在学生手里（已挂失）"
    desk.later(60)
    with transaction.atomic():
        cards.lift(OPERATOR, card.id)
    assert held() == ("学生", given.state_at)

    # A box on its way to a school, by a courier; signed for there.
    delivery = packed(family.city, capacity=9, number=1)
    [box] = logistics.boxes_of(delivery)
    [place] = logistics.contents(box)
    assert held(place.card_id)[0] == "市级"
    boxes = sent(desk, delivery)
    with transaction.atomic():
        couriers.hand_over(OPERATOR, boxes.id)
    assert held(place.card_id)[0] == boxes.carrier
    with transaction.atomic():
        logistics.receive_box(family.city.system, box.number, [place.card.number], [])
    assert held(place.card_id)[0] == "学校"
    with transaction.atomic():
        cards.hand_out(family.city.system, [place.card_id])
        cards.cancel(OPERATOR, place.card_id, "x")
    gone = cards.card(EVERYWHERE, place.card_id)
    assert couriers.held(gone, couriers.custody(EVERYWHERE, gone.id)) is None, "nothing says who has it"


def test_a_school_that_sees_no_messages_has_no_way_to_the_trace(family: Families) -> None:
    card = family.card(family.child())
    assert not family.city.officer.may("city:interop:read")
    links = card_views._neighbours(family.city.officer, cards.card(EVERYWHERE, card.id))
    assert "消息追踪" not in [each.kind for each in links]
    assert "消息追踪" in [each.kind for each in card_views._neighbours(OPERATOR, card)]

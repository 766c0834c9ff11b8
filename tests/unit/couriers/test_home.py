"""A card goes home by SF: ordered once, posted at the pick-up, in the family's hand on the courier's word."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from tests.support.couriers import Desk, deliver, sweep
from tests.unit.couriers.conftest import COUNTER, OPERATOR, asked, ordered, ready_to_post, state
from tests.unit.replacements.conftest import Families
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers import calling as couriers_calling
from xueka.contexts.couriers import jobs
from xueka.contexts.couriers.adapters import sf
from xueka.contexts.couriers.domain.status import Heard
from xueka.contexts.couriers.models import Push, Shipment, TrackingEvent
from xueka.contexts.couriers.ports import CourierUnavailable, Parcel, Placed
from xueka.contexts.couriers.quality import QUALITY
from xueka.contexts.couriers.services import following, ordering
from xueka.contexts.couriers.services.common import sender
from xueka.contexts.replacements import api as replacements
from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.exchange.models import Line
from xueka.platform.exchange.standing import standings
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check
from xueka.sandbox.common.notices import Letter

pytestmark = pytest.mark.django_db(transaction=True)


def refused(code: str, work: object, *arguments: object) -> None:
    with pytest.raises(XuekaError) as error, transaction.atomic():
        work(*arguments)  # type: ignore[operator]
    assert error.value.code == code


def sound() -> None:
    found = [check(each) for each in (*couriers.INVARIANTS, *replacements.INVARIANTS)]
    assert [each for each in found if each.violated] == []


def snapshot() -> list[object]:
    """All that pushes could change."""
    return [
        list(Shipment.objects.order_by("id").values()),
        list(TrackingEvent.objects.order_by("id").values()),
        list(replacements.Replacement.objects.order_by("id").values()),
        list(cards.card_rows(EVERYWHERE).order_by("id").values("id", "state")),
    ]


def test_from_one_click_to_the_childs_hand(family: Families, desk: Desk) -> None:
    made, card = ready_to_post(family)
    shipment = ordered(made)
    number = shipment.waybills.get().number
    assert number == desk.parcels()[0]["waybill"] and shipment.route_label == "010-BJ-01"
    refused("SHIPMENT_OPEN", couriers.ask_home, COUNTER, made.number)
    message = json.loads(desk.house.store.all("select message from ordered")[0]["message"])
    assert message["cargoDetails"] == [{"name": "证件", "count": 1}]
    assert message["contactInfoList"][1]["mobile"] == "13800000001"

    asked(desk, 25)
    assert (state(shipment), state(made)) == ("on_the_way", "on_the_way")
    assert (made.carrier, made.waybill) == ("顺丰速运", number)
    asked(desk, 280)
    assert state(shipment) == "delivering"
    asked(desk, 180)
    assert (state(shipment), state(made)) == ("delivered", "handed_out")
    card.refresh_from_db()
    assert card.state == "active"
    held = [(each.holder, each.shipment_id) for each in couriers.custody(EVERYWHERE, card.id)]
    assert held == [(holder, shipment.id) for holder in ("sender", "courier", "receiver")]
    [score] = couriers.scorecard(EVERYWHERE, family.time.now().date(), family.time.now().date())
    assert (score.handed_over, score.delivered, score.on_time, score.first_attempt) == (1, 1, 1, 1)
    sound()


def test_a_family_that_asks_where_its_card_is_sees_the_way_it_went(family: Families, desk: Desk) -> None:
    made, card = ready_to_post(family)
    child = card.student
    scope = family.parent(child).scope
    shipment = ordered(made)

    def followed() -> list[replacements.Replacement]:
        return replacements.followed_of(scope, child.id)

    asked(desk, 485)
    assert state(made) == "handed_out" and replacements.open_of(scope, child.id) == []
    assert followed() == [made]
    assert [step.label for step in couriers.way(shipment)][-1] == "已揽收"
    other = family.child()
    assert replacements.followed_of(family.parent(other).scope, child.id) == []
    desk.later(60 * 24 * 30 - 20)
    assert followed() == [made]
    again = family.handed_in(child)
    assert followed() == [again, made], "what is on its way comes first"
    desk.later(30)
    assert followed() == [again]


def test_pushes_that_come_again_change_nothing_twice(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    ordered(made)
    desk.later(500)
    letters = desk.letters()
    assert [deliver(*each) for each in letters] == ["200 0000"] * 6
    sweep()
    assert state(made) == "handed_out"
    before = snapshot()
    for _ in range(2):
        assert {deliver(*each) for each in reversed(letters)} == {"200 0000"}
        sweep()
    assert snapshot() == before
    assert set(Push.objects.values_list("outcome", "times")) == {("applied", 3)}
    # The same entries in another letter: their ids are known.
    items = [json.loads(each.body)["Body"]["WaybillRoute"][0] for _, each in letters]
    together = json.dumps({"Body": {"WaybillRoute": items}}).encode()
    deliver("sf", Letter("", {}, together))
    assert snapshot() == before and Push.objects.latest("id").outcome == "repeated"


def test_an_unsigned_push_closes_nothing(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    asked(desk, 25)
    waybill = shipment.waybills.get().number
    lie = {
        "mailno": waybill, "orderid": shipment.number, "acceptTime": "2026-09-07 12:00:00", "id": "1",
        "acceptAddress": "北京市", "opCode": "80", "remark": "已签收，签收人：本人", "reasonCode": "",
    }  # fmt: skip
    letter = Letter("", {}, json.dumps({"Body": {"WaybillRoute": [lie]}}).encode())
    assert deliver("sf", letter) == "200 0000"
    sweep()
    assert (state(shipment), state(made)) == ("on_the_way", "on_the_way")
    event = TrackingEvent.objects.get(courier_id="1")
    assert event.confirmed_at is None
    assert deliver("sf", Letter("", {}, b"{}")) == "200 1000"
    stray = json.dumps({"Body": {"WaybillRoute": [{**lie, "mailno": "X"}]}}).encode()
    assert deliver("sf", Letter("", {}, stray)) == "200 0000"
    assert Push.objects.latest("id").outcome == "stray"
    sound()


def pushed(**item: str) -> str:
    body = json.dumps({"Body": {"WaybillRoute": [item]}}).encode()
    return deliver("sf", Letter("", {}, body))


def test_a_forged_time_that_no_page_could_show_is_not_kept(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    waybill = shipment.waybills.get().number
    for at in ("0001-01-01 00:00:00", "9999-12-31 23:59:59"):
        assert pushed(mailno=waybill, acceptTime=at, opCode="50", id=at[:4]) == "200 0000"
    assert couriers.events(shipment) == []


def test_what_is_no_text_is_refused_at_once(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    waybill = ordered(made).waybills.get().number
    true = {"mailno": waybill, "acceptTime": "2026-09-07 12:00:00", "opCode": "50"}
    for name in ("mailno", "remark"):
        for wrong in ("\x00", "\ud800"):
            assert pushed(**{**true, name: wrong}) == "200 1000"
    assert deliver("sf", Letter("", {}, b"[" * 5_000)) == "200 1000"
    assert set(Push.objects.values_list("outcome", flat=True)) == {"refused"}


def test_what_a_forged_push_says_beside_a_true_entry_is_not_confirmed(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    desk.later(25)
    [(_, letter)] = desk.letters()
    [true] = json.loads(letter.body)["Body"]["WaybillRoute"]
    assert pushed(**{**true, "id": "9", "remark": "请致电本号改址", "acceptAddress": "假网点"}) == "200 0000"
    sweep()
    [event] = couriers.events(shipment)
    assert event.confirmed_at and (event.place, event.remark) == (true["acceptAddress"], true["remark"])


def test_a_push_that_comes_while_the_way_is_asked_is_not_forgotten(
    family: Families, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    asked(desk, 61)

    def routes(self: object, waybills: object) -> list[object]:
        desk.later(1)
        Shipment.objects.filter(id=shipment.id).update(next_ask_at=family.time.now())
        return []

    Shipment.objects.filter(id=shipment.id).update(next_ask_at=family.time.now())
    monkeypatch.setattr(sf.Sf, "routes", routes)
    couriers_calling.ask_routes([shipment.id])
    shipment.refresh_from_db()
    assert shipment.next_ask_at is not None and shipment.next_ask_at <= family.time.now()


def test_in_the_locker_is_not_in_the_hand(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    desk.fate(shipment.waybills.get().number, "locker")
    asked(desk, 500)
    assert (state(shipment), state(made)) == ("in_locker", "on_the_way")
    asked(desk, 480)
    assert (state(shipment), state(made)) == ("delivered", "handed_out")
    sound()


def test_what_the_family_refuses_comes_back_to_the_counter(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    desk.fate(shipment.waybills.get().number, "returned")
    asked(desk, 350)
    assert state(shipment) == "returning"
    assert [each.kind for each in couriers.problems(EVERYWHERE)] == ["refused"]
    asked(desk, 400)
    assert (state(shipment), state(made)) == ("returned", "to_post") and made.bounced_why
    assert couriers.open_problems(EVERYWHERE) == 0
    again = ordered(made)
    assert again.id != shipment.id
    sound()


def test_an_order_whose_answer_is_lost_is_one_order(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
    desk.turn(drop=1)
    assert couriers.call(shipment.id) == "asked"
    shipment.refresh_from_db()
    assert shipment.last_error and shipment.next_try_at is not None
    desk.turn(drop=0)
    desk.later(1)
    sweep()
    assert state(shipment) == "ordered" and len(desk.parcels()) == 1
    # Another process had not heard that it was asked: 8016, and the first order holds.
    Shipment.objects.filter(id=shipment.id).update(tries=0)
    placed = sf.connect().order(Parcel(shipment.number, 1, sender(shipment), sender(shipment)))
    assert placed.waybills == (shipment.waybills.get().number,)


def test_an_order_on_its_way_there_when_it_is_cancelled_is_taken_off_there_too(
    family: Families, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is lost, the courier has not read the order yet, and the counter cancels it."""
    made, _ = ready_to_post(family)
    late: list[Parcel] = []
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
    true = sf.Sf.order

    def order(courier: sf.Sf, parcel: Parcel) -> Placed:
        late.append(parcel)
        raise CourierUnavailable("COURIER_SILENT", "顺丰没有回应。")

    with monkeypatch.context() as slow:
        slow.setattr(sf.Sf, "order", order)
        assert couriers.call(shipment.id) == "asked"
    with transaction.atomic():
        couriers.cancel(COUNTER, shipment.id)
    sweep()
    assert state(shipment) == "cancelling", "nobody can know yet"
    true(sf.connect(), late[0])
    desk.later(2)
    sweep()
    assert state(shipment) == "cancelled"
    assert {each["state"] for each in desk.parcels()} == {"off"}
    sound()


def test_what_the_courier_took_after_all_is_taken_off_again_or_told(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
        couriers.cancel(COUNTER, shipment.id)
    assert couriers.call(shipment.id) == "cancelled"
    answer = sf.connect().order(Parcel(shipment.number, 1, sender(shipment), sender(shipment)))
    with transaction.atomic():
        ordering.placed(shipment.id, answer)
    sweep()
    assert state(shipment) == "cancelled"
    assert {each["state"] for each in desk.parcels()} == {"off"} and not couriers.open_problems(EVERYWHERE)
    with transaction.atomic():
        again = couriers.ask_home(COUNTER, made.number)
        couriers.cancel(COUNTER, again.id)
    couriers.call(again.id)
    answer = sf.connect().order(Parcel(again.number, 1, sender(again), sender(again)))
    desk.later(30)
    with transaction.atomic():
        ordering.placed(again.id, answer)
    sweep()
    assert [each.shipment_id for each in couriers.problems(EVERYWHERE)] == [again.id]


def test_what_is_refused_and_taken_out_once_more_is_with_the_family(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    asked(desk, 25)
    at, waybill = family.time.now(), shipment.waybills.get().number
    for minutes, status, place in (
        (1, "refused", "returning"), (2, "delivering", "delivering"), (3, "signed", "delivered"),
    ):  # fmt: skip
        entry = Heard(waybill, status, at + timedelta(minutes=minutes), remark="收件人 家长 13800000001")
        with transaction.atomic():
            following.hear([entry], confirmed=True)
            following.settle(shipment.id)
        assert state(shipment) == place
        assert couriers.open_problems(EVERYWHERE) == (status == "refused")
    assert state(made) == "handed_out"
    assert "13800000001" not in couriers.events(shipment)[-1].remark
    sound()


def test_a_courier_that_does_not_answer_becomes_a_persons_affair(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    desk.fate(shipment.waybills.get().number, "locker")
    asked(desk, 500)
    assert state(shipment) == "in_locker"
    desk.turn(errors=1)
    for _ in range(8):
        desk.later(61)
        sweep()
        jobs.watch()
    [problem] = couriers.problems(EVERYWHERE)
    assert problem.kind == "stuck" and problem.said.startswith("查不到轨迹：顺丰")
    desk.turn(errors=0)
    desk.later(11)
    sweep()
    assert couriers.open_problems(EVERYWHERE) == 0


def test_lost_before_anybody_wrote_down_that_it_was_sent(
    family: Families, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, card = ready_to_post(family)
    shipment = ordered(made)
    desk.fate(shipment.waybills.get().number, "lost")

    def broken(*arguments: object) -> None:
        raise Refused("ADDRESS_MISSING", "没有地址。")

    with monkeypatch.context() as once:
        once.setattr(replacements, "post", broken)
        asked(desk, 30)
        assert (state(shipment), state(made)) == ("on_the_way", "to_post")
        assert couriers.open_for_replacement(made.id) == shipment
        refused("ADDRESS_MISSING", couriers.lose, OPERATOR, shipment.id, "承运商确认遗失")
    with transaction.atomic():
        couriers.lose(OPERATOR, shipment.id, "承运商确认遗失")
    card.refresh_from_db()
    assert (state(shipment), state(made), card.state) == ("lost", "making", "failed")
    sound()


def test_what_could_not_be_written_down_as_sent_is_with_the_next_news(
    family: Families, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)

    def broken(*arguments: object) -> None:
        raise Refused("ADDRESS_MISSING", "没有地址。")

    with monkeypatch.context() as once:
        once.setattr(replacements, "post", broken)
        asked(desk, 30)
    assert (state(shipment), state(made)) == ("on_the_way", "to_post")
    asked(desk, 40)
    assert (state(shipment), state(made)) == ("on_the_way", "on_the_way")
    sound()


def test_where_nobody_goes_it_fails_and_waits_for_a_person(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    desk.turn(no_service=1)
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
    assert couriers.call(shipment.id) == "failed"
    [problem] = couriers.problems(EVERYWHERE)
    assert (problem.kind, problem.said) == ("not_sent", "收方地址不在服务范围")
    with transaction.atomic():
        couriers.close(OPERATOR, problem.id, "改由 EMS 寄")
    with transaction.atomic():
        hand = couriers.post_by_hand(COUNTER, made.number, "EMS", "EM123456789CN")
    assert (hand.state, state(made), hand.courier) == ("on_the_way", "on_the_way", "hand")
    sound()


def test_decided_by_a_person_at_the_courier_it_is_asked_later(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    desk.turn(by_hand=1)
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
    assert couriers.call(shipment.id) == "asked"
    desk.later(11)
    sweep()
    assert state(shipment) == "ordered"


def test_cancelled_in_time_and_too_late(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    with transaction.atomic():
        couriers.cancel(COUNTER, shipment.id)
    assert couriers.call(shipment.id) == "cancelled"
    second = ordered(made)
    desk.later(30)
    with transaction.atomic():
        couriers.cancel(COUNTER, second.id)
    assert couriers.call(second.id) == "cancelling"
    sweep()
    assert (state(second), state(made)) == ("on_the_way", "on_the_way")
    sound()


def test_a_lost_parcel_is_made_again_and_called_back_when_it_is_found(family: Families, desk: Desk) -> None:
    made, card = ready_to_post(family)
    shipment = ordered(made)
    number = shipment.waybills.get().number
    desk.fate(number, "lost")
    asked(desk, 200)
    desk.later(60 * 24 * 4)
    jobs.watch()
    assert {each.kind for each in couriers.problems(EVERYWHERE)} == {"late", "stuck"}
    refused("REASON_MISSING", couriers.lose, OPERATOR, shipment.id, "")
    refused("PERMISSION_DENIED", couriers.lose, COUNTER, shipment.id, "找不到")
    with transaction.atomic():
        couriers.lose(OPERATOR, shipment.id, "承运商确认遗失")
    card.refresh_from_db()
    assert (state(shipment), state(made), card.state) == ("lost", "making", "failed")
    assert [each.kind for each in couriers.problems(EVERYWHERE)] == ["lost"]
    with transaction.atomic():
        couriers.ask_intercept(OPERATOR, shipment.id, "在集散中心找到")
    couriers.call(shipment.id)
    assert state(shipment) == "returning" and shipment.intercept == "taken"
    desk.later(400)
    sweep()
    assert (state(shipment), state(made)) == ("returned", "making")
    held = [each.holder for each in couriers.custody(EVERYWHERE, card.id)]
    assert held == ["sender", "courier", "nobody", "courier", "sender"]
    sound()


def test_what_is_called_back_is_on_its_way_back_while_its_card_is_made_and_sent_anew(
    family: Families, desk: Desk
) -> None:
    made, _ = ready_to_post(family)
    first = ordered(made)
    asked(desk, 25)
    with transaction.atomic():
        couriers.lose(OPERATOR, first.id, "查无此件")
        couriers.ask_intercept(OPERATOR, first.id, "有人见到")
    couriers.call(first.id)
    sweep()
    assert (state(first), state(made)) == ("returning", "making")
    family.sweep(made)
    with transaction.atomic():
        again = cards.issue_at_counter(family.city.system, made.application_id)
    family.sweep(made)
    with transaction.atomic():
        cards.finish_at_counter(family.city.system, again.id, f"04{again.id:06X}")
    assert family.sweep(made) == "to_post"
    sweep()
    assert state(first) == "returning"
    second = ordered(made)
    with transaction.atomic():
        couriers.hand_over(COUNTER, second.id)
    assert (state(first), state(made)) == ("returning", "on_the_way")
    desk.later(400)
    couriers_calling.ask_routes([first.id])
    assert (state(first), state(second), state(made)) == ("returned", "on_the_way", "on_the_way")
    sound()


def test_what_is_delivered_cannot_be_called_back(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    asked(desk, 25)
    with transaction.atomic():
        couriers.lose(OPERATOR, shipment.id, "查无此件")
        couriers.ask_intercept(OPERATOR, shipment.id, "有人见到")
    desk.later(600)
    couriers.call(shipment.id)
    assert state(shipment) == "lost" and shipment.intercept == "refused"


def test_the_family_says_it_first(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    asked(desk, 25)
    with transaction.atomic():
        replacements.receive(family.parent(made.student), made.id)
    sweep()
    assert (state(shipment), state(made)) == ("delivered", "handed_out")
    asked(desk, 500)
    assert state(shipment) == "delivered"
    sound()


def test_the_address_is_sealed_and_forgotten(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    assert "某小区".encode() not in bytes(shipment.address) and shipment.address
    asked(desk, 500)
    assert state(shipment) == "delivered" and shipment.address
    desk.later(60 * 24 * 31)
    jobs.watch()
    shipment.refresh_from_db()
    assert not shipment.address and not Push.objects.exclude(raw=b"").exists()


def test_the_door_of_pushes_wants_no_session_and_knows_its_couriers(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    ordered(made)
    desk.later(25)
    [(_, letter)] = desk.letters()
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post("/api/couriers/sf/push", letter.body, content_type="application/json")
    assert (answer.status_code, answer.json()["return_code"]) == (200, "0000")
    for address, status in (("/api/couriers/ems/push", 404), ("/api/couriers/hand/push", 404)):
        assert stranger.post(address, b"{}", content_type="application/json").status_code == status
    too_large = b"x" * (65 * 1024)
    assert stranger.post("/api/couriers/sf/push", too_large, content_type="text/plain").status_code == 413
    assert stranger.get("/api/couriers/sf/push").status_code == 405


def test_whoever_tells_of_parcels_that_are_not_ours_is_put_off(family: Families, desk: Desk) -> None:
    stranger = Client()
    said = []
    for place in range(63):
        item = {"mailno": f"X{place}", "acceptTime": "2026-09-07 12:00:00", "opCode": "50"}
        body = json.dumps({"Body": {"WaybillRoute": [item]}})
        said.append(stranger.post("/api/couriers/sf/push", body, content_type="application/json").status_code)
    assert (said[0], said[-1]) == (200, 429) and Push.objects.count() < 63


def test_drifted_answers_are_read_all_the_same(family: Families, desk: Desk) -> None:
    desk.turn(drift=1)
    made, _ = ready_to_post(family)
    ordered(made)
    asked(desk, 500)
    assert state(made) == "handed_out"


def quality(code: str) -> dict[str, tuple[int, int]]:
    first = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    return dict(QUALITY.taken(first, first + timedelta(days=3))[code])


def test_how_good_what_the_courier_says_is(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    number = shipment.waybills.get().number
    assert quality("courier-sf")["complete"] == (0, 0)  # it is early for a step
    asked(desk, 25)
    found = quality("courier-sf")
    assert (found["complete"], found["valid"], found["timely"]) == ((1, 1), (1, 1), (1, 1))
    assert found["accurate"] == (1, 1)
    # Somebody makes up a step; the courier, asked, knows nothing of it.
    with transaction.atomic():
        entry = Heard(number, "signed", family.time.now(), "80", "", "已签收", "made-up")
        following.hear([entry], confirmed=False)
    assert quality("courier-sf")["accurate"] == (1, 1)
    desk.later(121)
    found = quality("courier-sf")
    assert (found["accurate"], found["timely"]) == ((1, 2), (1, 2))
    assert deliver("sf", Letter("", {"Content-Type": "application/json"}, b"{")) != "200 0000"
    assert quality("courier-sf")["valid"] == (1, 2)
    desk.later(49 * 60)
    assert quality("courier-sf")["complete"] == (0, 1)
    assert "accurate" not in quality("courier-kuaidi100")


def test_a_silent_courier_is_left_alone(
    family: Families, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = ready_to_post(family)
    with transaction.atomic():
        shipment = couriers.ask_home(COUNTER, made.number)
    with monkeypatch.context() as broken:
        broken.setattr(sf.Sf, "_call", silent)
        for _ in range(7):
            assert couriers.call(shipment.id) == "asked"
    shipment.refresh_from_db()
    assert shipment.tries == 5  # then nothing was tried
    assert couriers.call(shipment.id) == "asked"
    [found] = [each for each in standings(family.time.now()) if each.code == "courier-sf"]
    assert (found.breaker, found.health[0]) == ("open", "broken")
    desk.later(2)
    assert couriers.call(shipment.id) == "ordered"
    couriers_calling.ask_routes([shipment.id])
    assert Line.objects.get(counterpart="courier-sf").breaker == "closed"


def silent(*_: object, **__: object) -> object:
    raise CourierUnavailable("COURIER_SILENT", "顺丰没有回应。")

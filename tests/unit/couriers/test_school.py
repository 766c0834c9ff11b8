"""Boxes go to a school, a parcel each; a number typed by hand is followed by kuaidi100; custody, scores."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

import psycopg
import pypdf
import pytest
from django.conf import LazySettings
from django.db import connection, transaction

from tests.support.couriers import Desk, deliver, sweep
from tests.support.machines import assert_every_pair
from tests.unit.cards.conftest import City
from tests.unit.couriers.conftest import OPERATOR, asked, state
from tests.unit.couriers.test_home import refused, snapshot, sound
from tests.unit.replacements.conftest import Families
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers.domain.status import Heard
from xueka.contexts.couriers.models import Push, Shipment, TrackingEvent, Waybill
from xueka.contexts.couriers.services import following
from xueka.contexts.logistics import api as logistics
from xueka.kernel import clock
from xueka.platform.database import address
from xueka.platform.database.address import Role
from xueka.platform.history.services import apply
from xueka.platform.identity.scope import EVERYWHERE
from xueka.platform.invariants import check
from xueka.sandbox.common.notices import Letter

pytestmark = pytest.mark.django_db(transaction=True)


def packed(city: City, capacity: int = 2, number: int = 3) -> logistics.Delivery:
    """A delivery of several boxes to the first school, which has an address."""
    school = city.schools[0]
    school.address, school.consignee, school.consignee_phone = "东城区某街 1 号", "李老师", "13900000001"
    with transaction.atomic():
        school.save()
        planned = city.planned(city.students(number))
        ids = [card.id for card in planned]
        cards.order_cards(city.system, ids)
        cards.confirm_made(city.system, [(id_, f"{id_:014X}") for id_ in ids])
        [delivery] = logistics.prepare_deliveries(city.operator, box_capacity=capacity)
    return delivery


def sent(desk: Desk, delivery: logistics.Delivery) -> couriers.Shipment:
    with transaction.atomic():
        shipment = couriers.ask_school(OPERATOR, delivery.number)
    assert couriers.call(shipment.id) == "ordered"
    shipment.refresh_from_db()
    return shipment


def test_a_mother_and_her_child_reach_the_school(family: Families, desk: Desk) -> None:
    delivery = packed(family.city)
    shipment = sent(desk, delivery)
    mother, child = shipment.waybills.all()
    assert (shipment.pieces, mother.position, child.position) == (2, 1, 2)
    assert {mother.box_id, child.box_id} == {box.id for box in logistics.boxes_of(delivery)}
    pages = pypdf.PdfReader(io.BytesIO(couriers.labels(OPERATOR, shipment.id))).pages
    with transaction.atomic():
        couriers.hand_over(OPERATOR, shipment.id)
    assert len(pages) == 2, "a label for each parcel"
    for label, waybill in zip(pages, (mother, child), strict=True):
        text = "".join(label.extract_text().split())  # a line of a label breaks anywhere
        for word in ("李老师", "13900000001", "东城区某街1号", waybill.number, waybill.box.number):
            assert word in text, (word, text)
    assert f"母运单{mother.number}" in "".join(pages[1].extract_text().split())
    delivery.refresh_from_db()
    assert (delivery.state, delivery.waybill, state(shipment)) == ("in_transit", mother.number, "on_the_way")
    desk.fate(child.number, "second_attempt")
    asked(desk, 500)
    assert state(shipment) == "on_the_way", "one of two has arrived"
    asked(desk, 200)
    assert state(shipment) == "delivered" and shipment.failed_attempts == 1
    delivery.refresh_from_db()
    assert delivery.state == "in_transit", "the school signs for its boxes itself"
    [score] = couriers.scorecard(EVERYWHERE, clock.today(), clock.today())
    assert (score.delivered, score.first_attempt, score.on_time_share) == (1, 0, 1.0)
    sound()


def test_the_school_receives_before_the_courier_says_so(family: Families, desk: Desk) -> None:
    delivery = packed(family.city, capacity=9)
    shipment = sent(desk, delivery)
    with transaction.atomic():
        couriers.hand_over(OPERATOR, shipment.id)
        [box] = logistics.boxes_of(delivery)
        numbers = [place.card.number for place in logistics.contents(box)]
        logistics.receive_box(family.city.system, box.number, numbers, numbers[:1])
    sweep()
    assert state(shipment) == "delivered"
    [score] = couriers.scorecard(EVERYWHERE, clock.today(), clock.today())
    assert (score.damaged, score.damaged_share) == (1, 1.0)


def test_a_lost_box_turns_into_cards_to_be_made_again(family: Families, desk: Desk) -> None:
    delivery = packed(family.city, capacity=9)
    shipment = sent(desk, delivery)
    refused("NOT_WITH_THE_COURIER", couriers.lose, OPERATOR, shipment.id, "不见了")
    desk.fate(shipment.waybills.get().number, "lost")
    asked(desk, 30)
    with transaction.atomic():
        couriers.lose(OPERATOR, shipment.id, "承运商确认遗失")
    lost = list(cards.card_rows(EVERYWHERE).filter(shipped__shipment=shipment))
    assert {card.state for card in lost} == {"void"} and len(lost) == 3
    assert {card.application.state for card in lost if card.application} == {"accepted"}
    delivery.refresh_from_db()
    assert delivery.state == "lost"
    [score] = couriers.scorecard(EVERYWHERE, clock.today(), clock.today())
    assert (score.lost, score.lost_share) == (1, 1.0)
    sound()


def by_hand(family: Families) -> couriers.Shipment:
    delivery = packed(family.city, capacity=9)
    with transaction.atomic():
        return couriers.dispatch_by_hand(OPERATOR, delivery.number, "中通快递", "ZT0001234567")


def test_what_was_typed_is_followed_by_kuaidi100(family: Families, desk: Desk) -> None:
    shipment = by_hand(family)
    assert (shipment.state, shipment.waybills.get().follows) == ("on_the_way", "wanted")
    sweep()
    assert shipment.waybills.get().follows == "on"
    desk.later(310)
    [(courier, letter)] = desk.letters()
    assert courier == "kuaidi100"
    assert deliver(courier, letter) == "200 200"
    assert state(shipment) == "delivering"
    before = snapshot()
    assert deliver(courier, letter) == "200 200"
    assert snapshot() == before
    form = {name: values[0] for name, values in parse_qs(letter.body.decode()).items()}
    forged = urlencode({**form, "param": form["param"].replace('"5"', '"3"')}).encode()
    assert deliver(courier, Letter("", letter.headers, forged)) == "200 500"
    assert snapshot() == before and Push.objects.latest("id").outcome == "refused"
    desk.later(200)
    desk.push()
    assert (state(shipment), shipment.waybills.get().follows) == ("delivered", "over")
    sound()


def test_given_up_it_is_subscribed_again_three_times(family: Families, desk: Desk) -> None:
    desk.turn(abort=1)
    shipment = by_hand(family)
    for _ in range(3):
        sweep()
        desk.later(1)
        assert desk.push() == ["200 200"]
    waybill = shipment.waybills.get()
    assert (waybill.follows, waybill.subscriptions) == ("stopped", 3)
    [problem] = couriers.problems(EVERYWHERE)
    assert problem.kind == "stuck" and "快递100" in problem.said


def test_a_subscription_after_tries_that_were_killed_is_still_believed(family: Families, desk: Desk) -> None:
    shipment = by_hand(family)
    Waybill.objects.filter(shipment=shipment).update(subscriptions=3)
    sweep()
    assert shipment.waybills.get().follows == "on"
    desk.later(310)
    assert desk.push() == ["200 200"]
    assert state(shipment) == "delivering"


def test_without_our_address_nothing_is_subscribed_and_it_is_said(
    family: Families, desk: Desk, settings: LazySettings
) -> None:
    settings.COURIER_SITE = ""
    partner = json.loads(settings.COURIER_PARTNER.read_text("utf-8"))
    settings.COURIER_PARTNER.write_text(json.dumps({**partner, "code": "couriers"}), "utf-8")
    shipment = by_hand(family)
    sweep()
    waybill = shipment.waybills.get()
    shipment.refresh_from_db()
    assert (waybill.follows, waybill.subscriptions) == ("wanted", 0)
    assert "XUEKA_COURIER_SITE" in shipment.last_error and not desk.parcels()
    settings.COURIER_SITE = "https://card.example"
    desk.later(11)
    sweep()
    shipment.refresh_from_db()
    assert (shipment.waybills.get().follows, shipment.last_error) == ("on", "")


def test_two_in_one_parcel_go_its_way_together_and_an_old_number_stays_old(
    family: Families, desk: Desk
) -> None:
    old = by_hand(family)
    sweep()
    desk.later(500)
    desk.push()
    assert state(old) == "delivered"
    entry = Heard("ZT0001234567", "picked_up", clock.now() - timedelta(minutes=5))
    first, second = by_hand(family), by_hand(family)
    told = [replace(entry, status="delivering", at=clock.now()), entry]
    told.append(replace(entry, status="returned", at=clock.now() - timedelta(days=30)))
    with transaction.atomic():
        _, _, touched = following.hear(told, confirmed=True)
        for each in touched:
            following.settle(each)
    assert touched == [first.id, second.id]
    assert (state(old), state(first), state(second)) == ("delivered", "delivering", "delivering")


def test_a_company_that_nobody_follows_stays_with_people(family: Families, desk: Desk) -> None:
    delivery = packed(family.city, capacity=9)
    with transaction.atomic():
        shipment = couriers.dispatch_by_hand(OPERATOR, delivery.number, "本市专车", "A1")
    sweep()
    assert (shipment.waybills.get().follows, state(shipment)) == ("", "on_the_way")
    refused("SHIPMENT_OPEN", couriers.dispatch_by_hand, OPERATOR, delivery.number, "顺丰", "SF1")


def test_every_pair_of_the_table(family: Families, desk: Desk) -> None:
    shipment = sent(desk, packed(family.city, capacity=9))
    Shipment.objects.filter(pk=shipment.pk).update(delivered_at=clock.now())

    def attempt(event: str, before: str, to: str | None) -> str:
        Shipment.objects.filter(pk=shipment.pk).update(state=before)
        with transaction.atomic():
            apply(couriers.SHIPMENT, Shipment, [shipment.id], event, family.city.system, to=to)
        return state(shipment)

    allowed, refused_ = assert_every_pair(couriers.SHIPMENT, attempt, still=lambda: state(shipment))
    assert allowed + refused_ == 9 * 12, (allowed, refused_)


VIOLATIONS = {
    "shipment_state_equals_last_history_row": "UPDATE couriers_shipment SET state = 'in_locker'",
    "shipment_steps_allowed": (
        "UPDATE history_transition SET to_state = 'lost' WHERE machine = 'shipment' AND event = 'accept'"
    ),
    "shipments_have_waybills": "UPDATE couriers_shipment SET state = 'failed'",
    "shipments_closed_on_the_couriers_word": "UPDATE couriers_trackingevent SET confirmed_at = NULL",
    "shipment_custody_follows_the_state": "UPDATE couriers_custody SET holder = 'locker'",
    "lost_parcels_hold_no_living_card": (
        "UPDATE couriers_shipment SET state = 'lost'; UPDATE logistics_box SET state = 'lost'"
    ),
}
GUARDED = ("history_transition", "couriers_trackingevent", "couriers_custody")


def test_each_invariant_sees_its_wrong(family: Families, desk: Desk) -> None:
    desk.turn(lost=1)
    lost = sent(desk, packed(family.city, capacity=9))
    asked(desk, 30)
    with transaction.atomic():
        couriers.lose(OPERATOR, lost.id, "承运商确认遗失")
    desk.turn(lost=0)
    whole = sent(desk, packed(family.city, capacity=9))
    asked(desk, 500)
    assert state(whole) == "delivered" and set(VIOLATIONS) == {each.name for each in couriers.INVARIANTS}
    missed = []
    with psycopg.connect(**address.parameters(Role.OWNER, connection.settings_dict["NAME"])) as owner:
        for invariant in couriers.INVARIANTS:
            before = check(invariant)
            assert before.checked and not before.violated, before
            for table in GUARDED:
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            owner.execute(VIOLATIONS[invariant.name])
            row = owner.execute(invariant.sql).fetchone()
            owner.rollback()
            if row is None or not 0 < row[1] <= row[0] or not row[2]:
                missed.append((invariant.name, row))
    assert missed == []


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE couriers_trackingevent SET status = 'signed'",
        "DELETE FROM couriers_trackingevent",
        "UPDATE couriers_custody SET holder = 'receiver'",
        "DELETE FROM couriers_shipmentcard",
        "UPDATE couriers_push SET outcome = 'refused'",
        "DELETE FROM couriers_push",
    ],
)
def test_what_was_said_stays_said(family: Families, desk: Desk, wrong: str) -> None:
    sent(desk, packed(family.city, capacity=9))
    asked(desk, 500)
    assert TrackingEvent.objects.exists() and Push.objects.exists() and Waybill.objects.exists()
    with pytest.raises(Exception, match=r"does not change|append-only"), connection.cursor() as cursor:
        cursor.execute(wrong)

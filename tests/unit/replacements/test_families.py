"""From the question to the child's hand: free and paid, to the school, to the district, home; and back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from tests.support.fake_channel import BANKS
from tests.unit.cards.conftest import NOW
from tests.unit.payments.conftest import FINANCE
from tests.unit.replacements.conftest import Families
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.payments import api as payments
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.contexts.replacements import jobs
from xueka.contexts.replacements.services.following import forget_addresses
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope
from xueka.platform.messages.models import Message

pytestmark = pytest.mark.django_db(transaction=True)
STEP = timedelta(minutes=1)


def refused(code: str, act: object, *given: object) -> None:
    with pytest.raises(XuekaError) as refusal, transaction.atomic():
        act(*given)
    assert refusal.value.code == code


def stages(made: replacements.Replacement) -> list[tuple[str, str]]:
    return [(stage.code, stage.state) for stage in replacements.timeline(made)]


def test_a_free_one_is_accepted_at_once_and_goes_all_the_way_by_a_box_to_the_school(family: Families) -> None:
    child = family.child()
    old = family.card(child)
    made = family.handed_in(child)
    assert (made.state, made.fee_fen, made.free_reason) == ("paid", 0, "信息变更换卡免费")
    assert made.promised_on == date(2026, 9, 16) and not made.is_provisional
    assert stages(made)[:2] == [("submit", "done"), ("review", "now")]
    family.made(made)
    assert family.sweep(made) == "making"
    system = family.city.system
    with transaction.atomic():
        [delivery] = logistics.prepare_deliveries(system)
        logistics.dispatch(system, delivery.id, carrier="顺丰速运", waybill="SF1", expected_on=clock.today())
    assert family.sweep(made) == "on_the_way"
    [box] = logistics.boxes_of(delivery)
    with transaction.atomic():
        numbers = [place.card.number for place in logistics.contents(box)]
        logistics.receive_box(system, box.number, numbers)
    assert family.sweep(made) == "on_the_way" and made.delivered_at == NOW
    new = cards.card_rows(system.scope).get(application=made.application_id)
    with transaction.atomic():
        logistics.hand_out(system, [new.id])
    assert family.sweep(made) == "handed_out"
    assert all(state == "done" for _, state in stages(made))
    old.refresh_from_db()
    assert old.state == "cancelled" and family.card(child).id == new.id
    told = list(Message.objects.order_by("id").values_list("template", flat=True))
    assert told == ["REPLACEMENT_ACCEPTED", "REPLACEMENT_ARRIVED"]
    assert family.sweep(made) == "handed_out"  # a sweep that runs twice does nothing twice
    assert replacements.promises_kept(system.scope, NOW.date(), date(2026, 9, 30)).kept == 1


def test_a_lost_one_waits_for_its_money_and_the_promise_runs_from_the_channels_time(family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    assert (made.state, made.fee_fen, made.application_id) == ("unpaid", 2000, None)
    assert family.sweep(made) == "unpaid"
    family.time.advance(timedelta(minutes=10))
    order = family.pays(made)
    family.time.advance(timedelta(days=1))  # the sweep was down for a day
    assert family.sweep(made) == "paid"
    assert made.started_at == order.success_at == NOW + timedelta(minutes=10)
    assert made.promised_on == date(2026, 9, 16)
    assert cards.application(family.city.system.scope, made.application_id).reason == "lost"
    assert family.sweep(made) == "paid"


def test_what_is_called_off_before_the_card_is_made_is_paid_back(family: Families) -> None:
    child = family.child()
    made = family.handed_in(child, "lost")
    order = family.pays(made)
    family.sweep(made)
    with transaction.atomic():
        replacements.cancel(family.parent(child), made.id)
    made.refresh_from_db()
    assert made.state == "refunding"
    assert cards.application(family.city.system.scope, made.application_id).state == "withdrawn"
    payments.sweep()
    assert family.sweep(made) == "refunded"
    order.refresh_from_db()
    assert order.state == "refunded" and sum(map(BANKS["wechat"].sent_back, BANKS["wechat"].paid)) == 2000
    assert [stage.code for stage in replacements.timeline(made)][-2:] == ["cancel", "refund"]
    refused("TRANSITION_NOT_ALLOWED", replacements.cancel, family.parent(child), made.id)


def test_an_accepted_one_can_still_be_called_off_and_one_that_is_made_cannot(
    family: Families,
) -> None:
    child = family.child()
    made = family.handed_in(child)
    family.accepted(made)
    with transaction.atomic():
        assert replacements.cancel(family.parent(child), made.id).state == "cancelled"
    made = family.handed_in(child)
    family.made(made)
    refused("TOO_LATE", replacements.cancel, family.parent(child), made.id)
    refused("TOO_LATE", replacements.cancel, family.city.system, made.id)


def test_who_pays_in_the_moment_of_calling_off_gets_the_money_back(family: Families) -> None:
    child = family.child()
    made = family.handed_in(child, "lost")
    family.pays(made)
    with transaction.atomic():  # before any sweep
        assert replacements.cancel(family.parent(child), made.id).state == "refunding"
    payments.sweep()
    assert family.sweep(made) == "refunded"


def test_an_unpaid_one_is_called_off_with_its_order(family: Families) -> None:
    child = family.child()
    made = family.handed_in(child, "lost")
    with transaction.atomic():
        replacements.cancel(family.parent(child), made.id)
    assert payments.orders(family.city.system.scope, [made.order_id])[made.order_id].state == "closed"


def test_an_order_that_ran_out_is_followed_by_another(family: Families) -> None:
    child = family.child()
    made = family.handed_in(child, "lost")
    first = made.order_id
    family.time.advance(timedelta(hours=1))
    payments.sweep()
    with transaction.atomic():
        order = replacements.order_to_pay(family.parent(child), made.id)
    assert order.id != first and order.state == "open"
    made.refresh_from_db()
    family.pays(made)
    assert family.sweep(made) == "paid"
    refused("NOTHING_TO_PAY", replacements.order_to_pay, family.parent(child), made.id)


def test_a_refused_application_ends_it_tells_why_and_pays_back(family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    family.pays(made)
    family.sweep(made)
    with transaction.atomic():
        cards.refuse(Actor.system("reviewer"), [made.application_id], "photo_other_person")
    assert family.sweep(made) == "refunding"
    assert made.stopped_why == "审核不予受理：照片与本人不符"
    assert Message.objects.filter(template="REPLACEMENT_STOPPED").exists()


def test_what_finance_gave_back_is_not_asked_again_when_it_comes_to_nothing(family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    order = family.pays(made)
    family.sweep(made)
    given_back(order, 500)
    with transaction.atomic():
        cards.refuse(Actor.system("reviewer"), [made.application_id], "photo_other_person")
    assert family.sweep(made) == "refunding"
    payments.sweep()
    assert family.sweep(made) == "refunded"
    assert sorted(each.amount_fen for each in payments.refunds_of(order)) == [500, 1500]
    assert sum(map(BANKS["wechat"].sent_back, BANKS["wechat"].paid)) == 2000


def test_no_card_is_made_for_a_fee_that_finance_gave_back(family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    order = family.pays(made)
    family.sweep(made)
    family.accepted(made)
    given_back(order, 500)
    assert family.sweep(made) == "paid"
    given_back(order, 1500)
    assert family.sweep(made) == "refunding" and made.stopped_why == "费用已全部退回"
    assert family.sweep(made) == "refunded"
    application = cards.application(family.city.system.scope, made.application_id)
    assert application.state == "cancelled" and told_last() == "REPLACEMENT_STOPPED"


def test_a_fee_given_back_while_the_card_is_made_calls_no_card_back(family: Families) -> None:
    made = family.handed_in(family.child(), "lost")
    order = family.pays(made)
    family.sweep(made)
    family.made(made)
    given_back(order, 2000)
    assert family.sweep(made) == "making" and family.sweep(made) == "making"


def given_back(order: payments.Order, fen: int) -> None:
    """Finance has given this much back of its own accord, and it has arrived."""
    with transaction.atomic():
        payments.refund(FINANCE, order.id, fen, "减免", f"finance:{fen}")
    payments.sweep()


def test_words_say_by_which_way_the_money_goes_back(family: Families) -> None:
    """Where it has reached the treasury, not by the way that it came."""
    child = family.child()
    made = family.handed_in(child, "lost")
    family.pays(made, "nontax")
    with transaction.atomic():
        replacements.cancel(family.parent(child), made.id)
    assert family.sweep(made) == "refunding"
    assert replacements.timeline(made)[-1].detail == "已缴的¥20.00由国库退付。"
    other = family.handed_in(family.child(), "lost")
    family.pays(other)
    with transaction.atomic():
        replacements.cancel(family.city.system, other.id)
    assert family.sweep(other) == "refunding"
    assert replacements.money_words(other) == "已缴的¥20.00原路退回。"


def test_a_card_lifted_before_the_money_came_gives_the_money_back(family: Families) -> None:
    child = family.child()
    made = family.handed_in(child, "lost")
    with transaction.atomic():
        cards.lift(family.parent(child), family.card(child).id)
    family.pays(made)
    assert family.sweep(made) == "refunding" and "尚未挂失" in made.stopped_why


def test_collected_at_the_district_it_is_made_at_a_counter(family: Families) -> None:
    made = family.handed_in(family.child(), delivery="district")
    family.accepted(made)
    assert family.sweep(made) == "paid" and made.to_counter
    system = family.city.system
    with transaction.atomic():
        card = cards.issue_at_counter(system, made.application_id)
    assert family.sweep(made) == "making"
    with transaction.atomic():
        cards.finish_at_counter(system, card.id, "04AABBCC")
    assert family.sweep(made) == "on_the_way" and made.delivered_at is not None
    with transaction.atomic():
        cards.give(system, card.id, "guardian", agreed=True)
    assert family.sweep(made) == "handed_out"


COUNTER = Actor.in_role("c", "秦朗", "counter_operator", Scope("district", "110101"))


def ready_to_post(family: Families, child: registry.Student) -> tuple[replacements.Replacement, cards.Card]:
    """A card for the post, made at a counter."""
    made = family.handed_in(child, delivery="home")
    family.accepted(made)
    family.sweep(made)
    with transaction.atomic():
        card = cards.issue_at_counter(family.city.system, made.application_id)
    assert family.sweep(made) == "making"
    refused("CARD_NOT_READY", replacements.post, COUNTER, made.id, "顺丰速运", "SF1234567")
    with transaction.atomic():
        cards.finish_at_counter(family.city.system, card.id, f"04{card.id:06X}")
    assert family.sweep(made) == "to_post"
    return made, card


def posted(family: Families, child: registry.Student) -> tuple[replacements.Replacement, cards.Card]:
    made, card = ready_to_post(family, child)
    with transaction.atomic():
        replacements.post(COUNTER, made.id, "顺丰速运", "SF1234567", replacements.address_mark(made))
    assert family.sweep(made) == "on_the_way" and made.delivered_at is None
    return made, card


def test_the_second_parcel_is_told_of_as_the_first_one_was(family: Families) -> None:
    child = family.child()
    made, _ = posted(family, child)
    for waybill in ("SF7654321", "SF7654322"):
        with transaction.atomic():
            replacements.bounce(COUNTER, made.id, "地址不详")
            replacements.post(COUNTER, made.id, "顺丰速运", waybill)
    told = list(Message.objects.order_by("id").values_list("template", flat=True))
    assert told == [
        "REPLACEMENT_ACCEPTED",
        "REPLACEMENT_POSTED",
        *["REPLACEMENT_BOUNCED", "REPLACEMENT_POSTED"] * 2,
    ]


def told_last() -> str:
    return str(Message.objects.order_by("-id").values_list("template", flat=True).first())


def test_posted_home_the_family_says_when_it_has_come(family: Families) -> None:
    child = family.child()
    made, card = ready_to_post(family, child)
    district = Scope("district", "110101")
    assert [each.id for each in replacements.parcels(district)] == [made.id]
    refused("REASON_MISSING", replacements.posting_address, COUNTER, made.id, "")
    with transaction.atomic():
        assert replacements.posting_address(COUNTER, made.id, "贴面单").phone == "13800000001"
        assert replacements.address_label(COUNTER, made.id).startswith(b"%PDF")
    shown = replacements.masked_address(made)
    assert (shown.name, shown.phone, set(shown.address)) == ("王**", "138****0001", {"*"})
    stranger = Actor.in_role("d", "甲", "counter_operator", Scope("district", "110102"))
    for act in (replacements.posting_address, replacements.bounce, replacements.lose):
        refused("REPLACEMENT_NOT_FOUND", act, stranger, made.id, "贴面单")
    refused("WAYBILL", replacements.post, COUNTER, made.id, "顺丰速运", "SF 1")
    refused("NOT_ON_THE_WAY", replacements.receive, family.parent(child), made.id)
    with transaction.atomic():
        replacements.post(COUNTER, made.id, "顺丰速运", "SF1234567")
    assert family.sweep(made) == "on_the_way" and made.delivered_at is None
    assert dict(stages(made))["send"] == "done"
    refused("TOO_LATE", replacements.choose_delivery, family.parent(child), made.id, "district")
    with transaction.atomic():
        assert replacements.receive(family.parent(child), made.id).state == "handed_out"
    assert family.card(child).id == card.id
    assert not replacements.parcels(district).exists()
    family.time.advance(timedelta(days=31))
    assert forget_addresses() == 1


def test_a_family_that_says_nothing_is_not_left_with_a_dead_card(family: Families) -> None:
    """What the carrier says counts: the new card lives from its signature on."""
    child = family.child()
    made, card = posted(family, child)
    family.time.advance(timedelta(days=2))
    today = clock.today()
    refused("SIGNED_BY", replacements.deliver, COUNTER, made.id, today, "locker")
    for day in (today + timedelta(days=1), today - timedelta(days=3)):
        refused("SIGNED_ON", replacements.deliver, COUNTER, made.id, day, "family")
    with transaction.atomic():
        done = replacements.deliver(COUNTER, made.id, today - timedelta(days=1), "family")
    assert done.state == "handed_out" and done.delivered_at is not None
    assert clock.local(done.delivered_at).date() == today - timedelta(days=1)
    assert family.card(child).id == card.id
    assert told_last() == "REPLACEMENT_SIGNED"


def test_a_parcel_that_comes_back_waits_for_another_address_or_is_collected(family: Families) -> None:
    child = family.child()
    made, card = posted(family, child)
    refused("REASON_MISSING", replacements.bounce, COUNTER, made.id, " ")
    with transaction.atomic():
        replacements.bounce(COUNTER, made.id, "地址不详")
    assert family.sweep(made) == "to_post" and made.waybill == ""
    assert told_last() == "REPLACEMENT_BOUNCED"
    assert [(s.state, s.detail) for s in replacements.timeline(made) if s.code == "send"] == [
        ("now", "上次被退回：地址不详")
    ]
    parent, before = family.parent(child), replacements.address_mark(made)
    where = replacements.address("王建国", "13800000002", "西城区某街道某小区 5 号楼 101")
    with transaction.atomic():
        replacements.choose_delivery(parent, made.id, "home", where)
    made.refresh_from_db()
    assert made.bounced_why == "", "it has been answered"
    refused("ADDRESS_CHANGED", replacements.post, COUNTER, made.id, "顺丰速运", "SF7654321", before)
    refused("TOO_LATE", replacements.choose_delivery, parent, made.id, "school")
    with transaction.atomic():
        replacements.choose_delivery(parent, made.id, "district")
    assert family.sweep(made) == "on_the_way" and made.delivered_at is not None
    assert told_last() == "REPLACEMENT_ARRIVED"
    with transaction.atomic():
        cards.give(family.city.system, card.id, "guardian", agreed=True)
    assert family.sweep(made) == "handed_out"


def test_a_parcel_that_came_back_is_no_more_to_be_seen_once_the_card_is_in_hand(family: Families) -> None:
    made, card = posted(family, family.child())
    with transaction.atomic():
        replacements.bounce(COUNTER, made.id, "地址不详")
        cards.give(family.city.system, card.id, "guardian", agreed=True)
    assert family.sweep(made) == "handed_out"
    assert all("退回" not in stage.detail for stage in replacements.timeline(made))


def test_a_parcel_that_is_lost_is_made_again_at_the_counter(family: Families) -> None:
    child = family.child()
    made, card = posted(family, child)
    with transaction.atomic():
        replacements.lose(COUNTER, made.id, "快递查无此件")
    assert family.sweep(made) == "making" and made.waybill == ""
    assert told_last() == "REPLACEMENT_AGAIN"
    card.refresh_from_db()
    assert card.state == "failed"
    assert cards.application(family.city.system.scope, made.application_id).state == "at_counter"
    with transaction.atomic():
        again = cards.issue_at_counter(family.city.system, made.application_id)
        cards.finish_at_counter(family.city.system, again.id, "04AABBEE")
    assert family.sweep(made) == "to_post"
    with transaction.atomic():  # the family comes for it instead
        cards.give(family.city.system, again.id, "guardian", agreed=True)
    assert family.sweep(made) == "handed_out" and family.card(child).id == again.id


def test_a_lost_box_is_made_again(family: Families) -> None:
    made = family.handed_in(family.child())
    card_id = family.made(made)
    system = family.city.system
    with transaction.atomic():
        cards.pack(system, [card_id])
        cards.dispatch(system, [card_id])
    assert family.sweep(made) == "on_the_way"
    with transaction.atomic():
        cards.void_cards(system, [card_id], "箱子丢了")
    assert family.sweep(made) == "making"
    assert dict(stages(made))["make"] == "now"


def test_under_fourteen_a_guardian_consents_first(family: Families) -> None:
    child = family.child(born="2015-05-01")
    parent = family.parent(child)
    number = family.card(child).number
    refused("CONSENT_NEEDED", replacements.begin, parent, number, "data_change")
    with transaction.atomic():
        registry.record_consent(parent, [child.id], "given", "2026-1", "王建国", "page")
    with transaction.atomic():
        made = replacements.begin(parent, number, "data_change")
        replacements.choose_delivery(parent, made.id, "school")
        registry.record_consent(parent, [child.id], "withdrawn", "2026-1", "王建国", "page")
    refused("CONSENT_NEEDED", replacements.submit, parent, made.id)


def test_what_stands_against_it_is_said_before_anybody_pays(family: Families) -> None:
    child = family.child()
    parent, number = family.parent(child), family.card(child).number
    refused("NOT_REPORTED_LOST", replacements.begin, parent, number, "lost")
    refused("REASON_UNKNOWN", replacements.begin, parent, number, "new")
    made = family.begun(child)
    refused("DELIVERY_NOT_CHOSEN", replacements.submit, parent, made.id)
    refused("DELIVERY_UNKNOWN", replacements.choose_delivery, parent, made.id, "moon")
    refused("ADDRESS_MISSING", replacements.choose_delivery, parent, made.id, "home")
    again = family.begun(child, "damaged")
    assert again.id == made.id and again.fee_fen == 2000
    with transaction.atomic():
        replacements.choose_delivery(parent, made.id, "school")
        replacements.submit(parent, made.id)
    refused("REPLACEMENT_OPEN", replacements.begin, parent, number, "data_change")


def test_another_family_and_another_school_find_nothing(family: Families) -> None:
    child, other = family.child(), family.child(school=1)
    made = family.handed_in(child)
    for actor in (family.parent(other), family.city.other_officer):
        for act in (
            replacements.cancel,
            replacements.submit,
            replacements.order_to_pay,
            replacements.receive,
        ):
            refused("REPLACEMENT_NOT_FOUND", act, actor, made.id)
        with pytest.raises(NotFound):
            replacements.begin(actor, family.card(child).number, "data_change")
        with pytest.raises(NotFound):
            replacements.replacement(actor.scope, made.number)
        assert replacements.of_student(actor.scope, child.id) == []
    reviewer = family.city.person("r", "school_reviewer", family.city.schools[0])
    with pytest.raises(Forbidden):
        replacements.cancel(reviewer, made.id)


def test_one_open_replacement_a_child_by_the_database(family: Families) -> None:
    made = family.handed_in(family.child())
    made.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        made.save(force_insert=True)


def test_what_nobody_went_on_with_ends_after_thirty_days(family: Families) -> None:
    draft, unpaid = family.begun(family.child()), family.handed_in(family.child(), "lost")
    family.time.advance(timedelta(days=29))
    jobs.tidy()
    draft.refresh_from_db()
    assert draft.state == "draft"
    family.time.advance(timedelta(days=2))
    payments.sweep()
    jobs.tidy()
    draft.refresh_from_db()
    unpaid.refresh_from_db()
    assert (draft.state, unpaid.state) == ("cancelled", "cancelled")


def test_promises_that_run_out_are_watched_and_counted(family: Families) -> None:
    made = family.handed_in(family.child())
    district = Scope("district", "110101")
    assert not replacements.watched(district).exists()
    family.time.set(datetime(2026, 9, 14, 2, 0, tzinfo=UTC))
    assert [each.id for each in replacements.watched(district)] == [made.id]
    assert not replacements.watched(Scope("district", "110102")).exists()
    family.time.set(datetime(2026, 9, 17, 2, 0, tzinfo=UTC))
    found = replacements.promises_kept(district, date(2026, 9, 1), date(2026, 9, 30))
    assert (found.promised, found.kept, found.broken, found.open_late) == (1, 0, 0, 1)


def test_a_changed_tariff_is_shown_before_it_is_taken(family: Families) -> None:
    made = family.begun(family.child(), "damaged")
    replacements.Replacement.objects.filter(pk=made.pk).update(fee_fen=1000, delivery="school")
    with pytest.raises(Refused) as refusal, transaction.atomic():
        replacements.submit(family.city.system, made.id)
    assert refusal.value.code == "FEE_CHANGED" and refusal.value.found == "¥20.00"


@pytest.mark.parametrize(
    ("name", "phone", "where", "code"),
    [
        ("", "13800000001", "东城区某街道 1 号", "ADDRESS_NAME"),
        ("王", "1380000", "东城区某街道 1 号", "ADDRESS_PHONE"),
        ("王", "13800000001", "东城", "ADDRESS_PLACE"),
    ],
)
def test_an_address_says_which_part_is_wrong(name: str, phone: str, where: str, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        replacements.address(name, phone, where)
    assert refusal.value.code == code


def test_the_address_stands_sealed(family: Families) -> None:
    family.handed_in(family.child(), delivery="home")
    with connection.cursor() as cursor:
        cursor.execute("SELECT address, r::text FROM replacements_replacement r")
        [(sealed, row)] = cursor.fetchall()
    assert bytes(sealed) and "某小区" not in row and "某小区".encode() not in bytes(sealed)

"""Pages of the work with the company and of its differences: whom they find, what they say can be done."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.unit.transit.conftest import SYSTEM, City, Company, documented
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.models import Binding, Block, Extension, Validity
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound
from xueka.platform.audit.models import Entry
from xueka.platform.exchange.applying import apply_due
from xueka.platform.exchange.models import Incoming
from xueka.platform.identity import services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import User
from xueka.platform.identity.scope import Scope
from xueka.platform.messages import opting
from xueka.platform.messages.models import OptOut
from xueka.platform.messages.services import index_of


@pytest.fixture
def operator(city: City) -> Client:
    user, _ = services.create_user(SYSTEM, "pages", "王芳", "city_operator")
    User.objects.filter(pk=user.pk).update(must_change_password=False)
    client = Client()
    client.force_login(user, "xueka.platform.identity.backends.Password")
    session = client.session
    session["factor"], session["proved"] = True, int(clock.now().timestamp())
    session.save()
    return client


def test_whose_fare_is_over_is_found_for_another_year(company: Company, city: City, operator: Client) -> None:
    made = cards.Card.objects.filter(id__in=city.active(city.students(2))).order_by("id")
    over, far = made
    company.fare(over, None, fare="ordinary", tell=True)
    company.fare(far, "2099-08-31", tell=True)
    company.deliver()
    page = operator.get(reverse("objects:transit_extend"), {"ends": "soon"}).content.decode()
    assert over.number in page and far.number not in page


def test_a_card_that_the_company_stopped_is_work_until_somebody_settles_it(
    company: Company, city: City, operator: Client
) -> None:
    held = list(cards.Card.objects.filter(id__in=city.active(city.students(3))).order_by("id"))
    lost = held[2]

    def blocked(card: cards.Card, minutes: int, told: bool, reason: str = "") -> None:
        data = {"card": card.number, "transit_number": card.transit_number, "blocked": told}
        at = clock.now() + timedelta(minutes=minutes - 30)
        key = f"card:{card.number}"
        company.house._tell(
            {"kind": "card.blocked", "key": key, "data": data | {"reason": reason, "as_of": at.isoformat()}}
        )
        company.deliver()

    for each in held:
        blocked(each, 1, True, "消费异常")
    with transaction.atomic():
        cards.report_lost(SYSTEM, lost.id, "x")
    scope = SYSTEM.scope
    assert transit.open_blocks(scope) == 2  # what is not in use needs nothing
    page = operator.get(reverse("objects:transit_blocks")).content.decode()
    assert held[0].number in page and "消费异常" in page and lost.number not in page
    ids = [each.id for each in transit.block_rows(scope).order_by("id")]
    ways = reverse("objects:transit_blocks_settle")
    assert "登记 2 张" in operator.post(ways, {"keys": ids}).content.decode()
    assert operator.post(ways, {"keys": ids[:1], "do": "1"}).status_code != 302  # nothing said
    operator.post(ways, {"keys": ids[:1], "do": "1", "reason": "told", "note": "3 日致电"})
    assert transit.open_blocks(scope) == 1
    done = operator.get(reverse("objects:transit_blocks"), {"settled": "done"}).content.decode()
    assert "已告知家长：3 日致电" in done and held[1].number not in done
    assert Entry.objects.filter(action="transit.block_settled", object_id=held[0].number).count() == 1

    blocked(held[0], 2, True, "消费异常")  # the same word again
    assert transit.open_blocks(scope) == 1
    blocked(held[0], 0, True, "更早的原因")
    assert transit.open_blocks(scope) == 1
    blocked(held[0], 3, True, "卡片报损")
    assert transit.open_blocks(scope) == 2
    for each in held:
        blocked(each, 4, False)
    assert transit.block_rows(scope).count() == 0


def test_another_school_neither_sees_nor_settles_it(company: Company, card: cards.Card) -> None:
    made = Block.objects.create(card=card, blocked=True, reason="x", as_of=clock.now(), heard_at=clock.now())
    elsewhere = Actor.in_role("x", "x", "school_officer", Scope("school", "110102", "2111020001"))
    assert transit.open_blocks(elsewhere.scope) == 0
    with pytest.raises(NotFound):
        transit.settle_blocks(elsewhere, [made.id], "x")
    with pytest.raises(Forbidden):
        transit.settle_blocks(Actor.in_role("y", "y", "auditor", Scope("city")), [made.id], "x")


def test_a_difference_says_what_can_be_done(company: Company, card: cards.Card, operator: Client) -> None:
    documented([card.student_id])
    transit.follow(SYSTEM)
    transit.catch_up(SYSTEM)
    company.talk()
    with transaction.atomic():
        cards.report_lost(SYSTEM, card.id, "x")
    transit.follow(SYSTEM)
    company.talk()
    company.house.book.put("transit-bindings", card.number, f"{card.number}|{card.transit_number}")
    company.house.book.put("transit-bindings", "9" * 12, f"{'9' * 12}|1")
    company.fare(card, "2031-08-31")
    for dataset in ("transit-bindings", "transit-validity"):
        interop.reconcile(SYSTEM, company.partner, dataset)
    rows = list(interop.differences(SYSTEM))
    assert len(rows) == 3
    page = operator.post(
        "/city/interfaces/differences/send/preview/", {"keys": [each.id for each in rows]}
    ).content.decode()
    assert "补发 1 项" in page and "本方没有可以告知对方的" in page
    fare = next(each for each in rows if each.dataset == "transit-validity")
    one = operator.get(f"/city/interfaces/differences/{fare.id}/").content.decode()
    assert "采纳对方" in one and "补发" not in one


def test_dead_letters_are_tried_again_together(
    company: Company, card: cards.Card, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.fare(card, "2031-08-31", tell=True)
    with monkeypatch.context() as broken:
        broken.setattr("xueka.contexts.transit.services.validity.validity.read", wrong)
        company.deliver()
    [dead] = Incoming.objects.filter(state="dead")
    company.later(60)
    company.fare(card, "2032-08-31", tell=True)
    company.deliver()  # waits behind it
    keys = [each.id for each in Incoming.objects.all()]
    page = operator.post("/city/interfaces/at/transit/retry/", {"keys": keys}).content.decode()
    assert "再处理 1 条" in page
    address = "/city/interfaces/at/transit/retry/do/"
    assert operator.post(address, {"keys": keys}).status_code == 400  # nobody says why
    operator.post(address, {"keys": keys, "note": "对方已改正"})
    apply_due()
    assert set(Incoming.objects.values_list("state", flat=True)) == {"applied"}
    assert str(Validity.objects.get().valid_until) == "2032-08-31"
    assert Entry.objects.filter(action="exchange.retry_incoming", object_id=dead.message_id).count() == 1


def wrong(_: object) -> None:
    raise BadInput("TRANSIT_CONTENT", "不合约定。")


def test_what_is_not_answered_in_time_is_marked(company: Company, city: City, operator: Client) -> None:
    made = city.active(city.students(2))
    documented(list(cards.Card.objects.filter(id__in=made).values_list("student", flat=True)))
    transit.follow(SYSTEM)
    transit.catch_up(SYSTEM)
    late, fresh = Binding.objects.select_related("card").order_by("id")
    Binding.objects.filter(id=late.id).update(state_at=clock.now() - timedelta(hours=25))
    page = operator.get(reverse("objects:bindings")).content.decode()
    assert page.count("已送，等答复，超期") == 1
    page = operator.get(reverse("objects:bindings"), {"late": "late"}).content.decode()
    assert late.card.number in page and fresh.card.number not in page
    company.talk()
    assert "，超期" not in operator.get(reverse("objects:bindings"), {"state": "bound"}).content.decode()
    Validity.objects.update(valid_until="2026-12-31")
    transit.ask(SYSTEM, made)
    page = operator.get(reverse("objects:transit_extensions"), {"late": "late"}).content.decode()
    assert late.card.number not in page
    assert Extension.objects.update(asked_at=clock.now() - timedelta(days=20)) == 2
    page = operator.get(reverse("objects:transit_extensions"), {"late": "late"}).content.decode()
    assert page.count("已申请，等答复，超期") == 2


def test_three_working_days_and_no_more() -> None:
    """Asked on the Friday before the holiday of October 2026: due on Wednesday, late on Thursday."""
    for day, is_late in ((30, False), (31, True)):
        now = datetime(2026, 9, 30, 12, tzinfo=clock.SHANGHAI) + timedelta(days=day - 30)
        with clock.at(now):
            asked = datetime(2026, 9, 25, 23, 59, tzinfo=clock.SHANGHAI)
            assert (asked < transit.extensions_late_before()) is is_late


def test_a_family_that_wants_reminders_again_is_found_by_its_phone(operator: Client) -> None:
    phone = "13800000001"
    opting.refuse(index_of(phone), "138****0001", "reply", "TD")
    page = operator.get(f"/city/messages/phone/{index_of(phone).hex()}/").content.decode()
    assert "恢复" in page
    operator.post(f"/city/messages/rules/{OptOut.objects.get().pk}/want/")
    assert not opting.refuses(index_of(phone))

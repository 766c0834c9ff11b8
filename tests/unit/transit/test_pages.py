"""Pages of the work with the company and of its differences: whom they find, what they say can be done."""

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.unit.transit.conftest import SYSTEM, City, Company, documented
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.models import Validity
from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.audit.models import Entry
from xueka.platform.exchange.applying import apply_due
from xueka.platform.exchange.models import Incoming
from xueka.platform.identity import services
from xueka.platform.identity.models import User
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


def test_a_family_that_wants_reminders_again_is_found_by_its_phone(operator: Client) -> None:
    phone = "13800000001"
    opting.refuse(index_of(phone), "138****0001", "reply", "TD")
    page = operator.get(f"/city/messages/phone/{index_of(phone).hex()}/").content.decode()
    assert "恢复" in page
    operator.post(f"/city/messages/rules/{OptOut.objects.get().pk}/want/")
    assert not opting.refuses(index_of(phone))

"""The validity of the student fare: told, asked for, never older than what is known."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from tests.support.families import PHONE, with_guardian
from tests.unit.transit.conftest import OPERATOR, City, Company
from xueka.contexts.cards import api as cards
from xueka.contexts.families import api as families
from xueka.contexts.families.models import FamilyAccount
from xueka.contexts.registry import api as registry
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.domain import validity
from xueka.contexts.transit.models import LookUp, Validity
from xueka.contexts.transit.services import validity as services
from xueka.entrypoints.portals.objects.transit import said_of_look_up
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto.fields import seal
from xueka.platform.exchange.models import Incoming
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

UNTIL = "2027-08-31"
GOOD = {
    "card": "1",
    "transit_number": "2",
    "fare": "student",
    "valid_until": UNTIL,
    "as_of": "2026-09-01T08:30:00+08:00",
}


@pytest.fixture(autouse=True)
def not_fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(services, "FRESH", timedelta(0))
    yield


def test_a_look_up_asks_and_keeps_and_is_audited(company: Company, card: cards.Card) -> None:
    company.fare(card, UNTIL)
    done = transit.look_up(OPERATOR, card.number)
    assert (done.outcome, done.known.valid_until, done.known.fare) == (
        "answered",
        date(2027, 8, 31),
        "student",
    )
    entry = Entry.objects.get(action="transit.look_up")
    assert (entry.object_id, entry.detail) == (card.number, {"outcome": "answered"})
    assert transit.known_of([card.id])[card.id].standing == "valid"


@pytest.mark.parametrize(
    ("dial", "outcome"), [({"drop": 1}, "silent"), ({"errors": 1}, "silent"), ({"drift": 1}, "unusable")]
)
def test_without_a_usable_answer_the_last_known_is_shown(
    company: Company, card: cards.Card, dial: dict[str, Any], outcome: str
) -> None:
    company.fare(card, UNTIL)
    transit.look_up(OPERATOR, card.number)
    company.dial(**dial)
    done = transit.look_up(OPERATOR, card.number)
    assert (done.outcome, done.known.valid_until) == (outcome, date(2027, 8, 31))


def test_stale_data_do_not_replace_what_is_known(company: Company, card: cards.Card) -> None:
    company.fare(card, UNTIL)
    company.later(60)
    company.fare(card, "2028-08-31")
    transit.look_up(OPERATOR, card.number)
    company.dial(stale=1)
    done = transit.look_up(OPERATOR, card.number)
    assert (done.outcome, done.known.valid_until) == ("older", date(2028, 8, 31))


def test_nobody_asks_a_company_that_is_silent(company: Company, card: cards.Card) -> None:
    company.dial(drop=1)
    outcomes = [transit.look_up(OPERATOR, card.number).outcome for _ in range(4)]
    assert outcomes == ["silent"] * 3 + ["resting"]
    with clock.at(clock.now() + timedelta(seconds=31)):
        assert transit.look_up(OPERATOR, card.number).outcome == "silent"


def test_a_late_answer_is_none_and_the_parent_is_told_so(
    company: Company, city: City, card: cards.Card, settings: Any
) -> None:
    """By the company's dial, later than the deadline; the child's other card is not waited for."""
    [other_id] = city.active(city.students(1))
    other_kind = cards.CardKind.objects.exclude(code=card.kind_id).order_by("code")[0]
    cards.Card.objects.filter(id=other_id).update(student_id=card.student_id, kind=other_kind)
    first, second = card, cards.Card.objects.get(id=other_id)
    child = with_guardian(card.student_id)
    account = FamilyAccount.objects.create(
        phone_index=registry.phone_index(PHONE), envelope=seal({"phone": PHONE}), created_at=clock.now()
    )
    client = Client()
    client.cookies["xk_family"] = families.begin_session(account, "", "")
    address = reverse("parent:transit", args=[child.education_id])
    settings.TRANSIT_DEADLINE = 0.2
    company.dial(delay=1, delay_ms=1_000)
    assert "没有及时答复，还没有可以显示的数据" in client.post(address, follow=True).content.decode()
    assert list(LookUp.objects.values_list("card", "outcome")) == [(first.id, "silent")]

    company.dial(delay=0)
    settings.TRANSIT_DEADLINE = 20
    for each in (first, second):
        company.fare(each, UNTIL)
    assert "已是一卡通公司现在的数据" in client.post(address, follow=True).content.decode()
    settings.TRANSIT_DEADLINE = 0.2
    company.dial(delay=1)
    page = client.post(address, follow=True).content.decode()
    assert "没有及时答复，显示的是上次的数据" in page and "2027年8月31日" in page


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        (["answered", "silent"], "有的卡已是现在的数据"),
        (["answered", "older"], "比已有的旧"),
        (["answered", "answered"], "已是一卡通公司现在的数据"),
        (["unknown", "resting"], "半分钟后再查"),
        ([], "没有这张卡的记录"),
    ],
)
def test_what_is_said_of_several_cards(outcomes: list[str], words: str) -> None:
    assert words in said_of_look_up(outcomes, True)[0]


def test_an_answer_of_just_now_is_not_asked_for_again(
    company: Company, card: cards.Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "FRESH", timedelta(seconds=60))
    company.fare(card, UNTIL)
    assert [transit.look_up(OPERATOR, card.number).outcome for _ in range(2)] == ["answered"] * 2
    assert LookUp.objects.count() == 1


def test_any_answer_of_just_now_is_enough(
    company: Company, card: cards.Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever presses again and again gets the answer that there was."""
    monkeypatch.setattr(services, "FRESH", timedelta(seconds=60))
    assert [transit.look_up(OPERATOR, card.number).outcome for _ in range(3)] == ["unknown"] * 3
    assert LookUp.objects.count() == 1
    with clock.at(clock.now() + timedelta(seconds=61)):
        assert transit.look_up(OPERATOR, card.number).outcome == "unknown"
    assert LookUp.objects.count() == 2


def test_a_card_unknown_there_and_one_without_a_number(company: Company, card: cards.Card) -> None:
    assert transit.look_up(OPERATOR, card.number).outcome == "unknown"
    cards.Card.objects.filter(id=card.id).update(transit_number="")
    with pytest.raises(Refused) as problem:
        transit.look_up(OPERATOR, card.number)
    assert problem.value.code == "NO_TRANSIT_NUMBER"


def test_a_stranger_finds_no_card_and_the_unentitled_may_not(company: Company, card: cards.Card) -> None:
    elsewhere = Actor.in_role("x", "x", "school_officer", Scope("school", "110102", "2111020001"))
    with pytest.raises(NotFound):
        transit.look_up(elsewhere, card.number)
    with pytest.raises(Forbidden):
        transit.look_up(Actor.in_role("y", "y", "auditor", Scope("city")), card.number)


def test_without_the_company_there_is_nothing_to_ask(
    city: object, card: cards.Card, tmp_path: Any, settings: Any
) -> None:
    settings.EXCHANGE_PARTNERS = tmp_path
    with pytest.raises(Refused) as problem:
        transit.look_up(OPERATOR, card.number)
    assert problem.value.code == "TRANSIT_NOT_CONNECTED"
    assert not transit.connected()


def test_what_the_company_tells_is_kept(company: Company, card: cards.Card) -> None:
    company.fare(card, UNTIL, tell=True)
    company.later(60)
    company.fare(card, None, fare="ordinary", tell=True)
    assert company.deliver() == [202, 202]
    found = Validity.objects.get()
    assert (found.card_id, found.fare, found.valid_until) == (card.id, "ordinary", None)
    assert transit.known_of([card.id])[card.id].standing == "never"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"fare": "senior"}, "fare"),
        ({"valid_until": None}, "valid_until"),
        ({"valid_until": "2027-02-30"}, "valid_until"),
        ({"as_of": "2026-09-01"}, "as_of"),
        ({"as_of": "2126-09-01T08:30:00+08:00"}, "as_of"),
        ({"transit_number": "1\ud800"}, "transit_number"),
        ({"card": 7}, "card"),
    ],
)
def test_bad_content_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(BadInput) as problem:
        validity.read(GOOD | change)
    assert (problem.value.code, problem.value.where) == ("TRANSIT_CONTENT", where)


def test_another_cards_number_is_a_dead_letter(company: Company, card: cards.Card) -> None:
    told = GOOD | {"card": card.number, "transit_number": "9" * 16}
    company.house._tell({"kind": "validity.changed", "key": f"card:{card.number}", "data": told})
    company.deliver()
    assert Incoming.objects.get().code == "TRANSIT_CARD"


@pytest.mark.parametrize(
    ("days", "fare", "words"),
    [
        (60, "student", "valid"),
        (59, "student", "ending"),
        (0, "student", "ending"),
        (-1, "student", "ended"),
        (9, "ordinary", "never"),
    ],
)
def test_standing(days: int, fare: str, words: str) -> None:
    today = date(2026, 9, 1)
    assert validity.standing(fare, today + timedelta(days=days), today, 60) == words


def test_the_database_keeps_the_later_word_and_the_questions(company: Company, card: cards.Card) -> None:
    company.fare(card, UNTIL)
    transit.look_up(OPERATOR, card.number)
    for statement in (
        "UPDATE transit_validity SET as_of = as_of - interval '1 hour'",
        "DELETE FROM transit_lookup",
        "UPDATE transit_validity SET valid_until = NULL",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

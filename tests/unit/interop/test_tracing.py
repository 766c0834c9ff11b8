"""What went back and forth of a card is found by each of its numbers and by its holder's education ID."""

import json

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.support.commands import Run, xueka
from tests.unit.interop.conftest import CODE, SYSTEM, City, Tong
from tests.unit.interop.test_cards_told import numbers
from tests.unit.transit.test_pages import operator
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.registry import api as registry
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.services import hot_list
from xueka.kernel.errors import Forbidden
from xueka.platform.exchange import services as exchange
from xueka.platform.exchange.models import Outgoing
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

__all__ = ["operator", "xueka"]
OPERATOR = Actor.in_role("op", "op", "city_operator", Scope("city"))


@pytest.fixture
def told(city: City, tong: Tong) -> list[cards.Card]:
    """Two cards of which Beijing-Tong was told."""
    interop.follow_all()
    ids = city.active(city.students(2))
    numbers(ids)
    interop.follow_all()
    return list(cards.card_rows(SYSTEM.scope).filter(id__in=ids).order_by("id"))


@pytest.mark.parametrize(
    "by", ["number", "transit_number", "beijing_tong_number", "chip_uid", "education ID"]
)
def test_each_number_leads_to_the_messages(
    by: str, told: list[cards.Card], operator: Client, xueka: Run
) -> None:
    card, other = told
    asked = card.student.education_id if by == "education ID" else getattr(card, by)
    assert asked and interop.keys_meant(OPERATOR, f" {asked} ") == [f"card:{card.number}"]
    code, said = xueka("interop", "trace", asked)
    assert code == 0 and {each["key"] for each in said["messages"]} == {f"card:{card.number}"}
    traced = operator.get(reverse("city:trace"), {"q": asked}).content.decode()
    listed = operator.get(reverse("city:interface_messages", args=[CODE]), {"q": asked}).content.decode()
    for page in (traced, listed):
        assert f"卡 {card.number}" in page and other.number not in page
    again = xueka("interop", "replay", CODE, "--reason", "试", "--card", asked, "--dead")
    assert (again[0], again[1]["matched"]) == (0, 0)


def test_what_came_is_found_likewise(told: list[cards.Card], tong: Tong, operator: Client) -> None:
    card, other = told
    for each in told:
        tong.house._tell({"kind": "ping", "key": f"card:{each.number}", "data": {}})
    rows = {f"card:{each.number}": each for each in told}
    assert set(rows) >= set(interop.keys_meant(OPERATOR, card.transit_number))
    page = operator.get(reverse("city:interface_received", args=[CODE]), {"q": other.transit_number})
    assert card.number not in page.content.decode()


def test_all_cards_of_a_child_and_its_own_messages(told: list[cards.Card]) -> None:
    card, _ = told
    child = card.student.education_id
    exchange.post(CODE, "student.told", f"student:{child}", {})
    assert interop.keys_meant(OPERATOR, child) == [f"card:{card.number}", f"student:{child}"]


def test_a_whole_hot_list_is_found_by_the_cards_that_it_had(told: list[cards.Card], operator: Client) -> None:
    lost, other = told
    with transaction.atomic():
        cards.report_lost(SYSTEM, lost.id, "x")
        hot_list.settle(SYSTEM, cards.card_rows(SYSTEM.scope).filter(id=lost.id))
        first = transit.send_whole(OPERATOR)
        cards.lift(SYSTEM, lost.id)
        hot_list.settle(SYSTEM, cards.card_rows(SYSTEM.scope).filter(id=lost.id))
        second = transit.send_whole(OPERATOR)
    assert first.number != second.number
    keys = interop.keys_meant(OPERATOR, lost.transit_number)
    assert keys == [f"card:{lost.number}", f"hot_list:{first.number}"]
    assert keys == interop.keys_meant(OPERATOR, f"card:{lost.number}"), "a key is as good as its number"
    assert interop.keys_meant(OPERATOR, other.number) == [f"card:{other.number}"]
    page = operator.get(reverse("city:trace"), {"q": lost.chip_uid}).content.decode()
    assert "黑名单全量" in page and reverse("city:transit_paper", args=[first.pk]) in page
    Outgoing.objects.filter(kind="hotlist.whole").update(envelope=b"")  # past its time: nothing says it now
    assert interop.keys_meant(OPERATOR, lost.number) == [f"card:{lost.number}"]


def test_a_long_hot_list_lies_in_a_file(told: list[cards.Card], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "BY_FILE", 10)
    with transaction.atomic():
        cards.report_lost(SYSTEM, told[0].id, "x")
        hot_list.settle(SYSTEM, cards.card_rows(SYSTEM.scope).filter(id=told[0].id))
        paper = transit.send_whole(OPERATOR)
    assert Outgoing.objects.get(kind="hotlist.whole").file
    assert interop.keys_meant(OPERATOR, told[0].number)[-1] == f"hot_list:{paper.number}"


def test_nothing_of_it_is_said_in_words(city: City, tong: Tong, operator: Client, xueka: Run) -> None:
    [child] = city.students(1)
    education_id = registry.student(SYSTEM.scope, child).education_id
    assert interop.keys_meant(OPERATOR, "99999999") == interop.keys_meant(OPERATOR, "") == []
    page = operator.get(reverse("city:trace"), {"q": "99999999"}).content.decode()
    assert "没有“99999999”的卡、学生或消息" in page
    code, said = xueka("interop", "trace", "99999999")
    assert (code, said["error"]["code"]) == (1, "NOTHING_TO_TRACE"), json.dumps(said)
    # A child that has no card, and a card of which nothing was said, are known.
    assert interop.keys_meant(OPERATOR, education_id) == [f"student:{education_id}"]
    [card_id] = city.active([child])
    number = cards.card(SYSTEM.scope, card_id).number
    page = operator.get(reverse("city:trace"), {"q": education_id}).content.decode()
    assert f"卡 {number}" in page and "还没有往来的消息" in page
    assert xueka("interop", "trace", number)[1] == {"messages": [], "beside": [], "cut": False}
    name = registry.student(SYSTEM.scope, child).name
    assert interop.keys_meant(OPERATOR, name) == [], "names are looked for in the list of cards"


def test_whoever_may_not_see_messages_finds_nothing(city: City) -> None:
    with pytest.raises(Forbidden):
        interop.keys_meant(city.officer, "1")

"""What Beijing-Tong said, on pages: corrections as a list, a blocked application where a card is replaced."""

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.unit.interop.conftest import SYSTEM, City, Tong
from tests.unit.interop.test_beijing_tong import OTHER, card_of, of, tell
from tests.unit.transit.test_pages import operator
from xueka.contexts.cards import api as cards
from xueka.contexts.interop import api as interop
from xueka.contexts.repairs import api as repairs
from xueka.entrypoints.portals.counter import home

__all__ = ["operator"]


@pytest.fixture
def card(city: City) -> cards.Card:
    return card_of(city)


def test_corrections_are_listed_with_what_became_of_them(
    city: City, tong: Tong, operator: Client, card: cards.Card
) -> None:
    assert "没有更正" in operator.get(reverse("city:corrections")).content.decode()
    tell(tong, "citizen.corrected", f"card:{card.number}", **of(card), name="张更改")
    [row] = interop.corrections(OTHER)
    shown = operator.get(reverse("city:corrections")).content.decode()
    assert card.number in shown and row.repair.number in shown and "待批准" in shown
    assert "张更改" not in shown  # whose name it is, the repair says to whoever decides
    repairs.approve(OTHER, row.repair_id)
    interop.settle_corrections()
    row.refresh_from_db()
    assert row.exchange is not None
    shown = operator.get(reverse("city:corrections"), {"outcome": "opened"}).content.decode()
    assert row.exchange.number in shown and "已准备换卡" in shown
    other = operator.get(reverse("city:corrections"), {"outcome": "waiting"}).content.decode()
    assert card.number not in other


def test_the_counter_reads_of_a_blocked_application(city: City, tong: Tong, card: cards.Card) -> None:
    with transaction.atomic():
        made = cards.create_applications(SYSTEM, [card.student_id], card.kind_id, "data_change").done
    paper = cards.application(SYSTEM.scope, made[0])
    assert home._old(paper) == "使用中"
    tell(tong, "application.blocked", f"card:{card.number}", **of(card))
    assert home._old(paper) == "使用中；北京通应用已停用，本人申请暂停使用"

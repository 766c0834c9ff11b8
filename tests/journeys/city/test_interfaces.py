"""The operator finds a stuck message, sees why, replays it and it arrives; and asks the other side."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import Town, picture
from tests.support.channels_process import Exchange, exchange_running
from tests.unit.interop.conftest import send
from tests.unit.interop.test_cards_told import numbers
from xueka.contexts.interop import api as interop

CODE = "beijing-tong"
LIMITS = json.dumps({"retry_base": 0, "breaker_base": 0})


@pytest.fixture
def tong(tmp_path: Path, settings: Any) -> Iterator[Exchange]:
    settings.EXCHANGE_PARTNERS = tmp_path
    with exchange_running(tmp_path / CODE, 1, "--limits", LIMITS) as simulator:
        yield simulator


def test_a_stuck_message_is_found_understood_and_replayed(page: Page, people: Town, tong: Exchange) -> None:
    interop.follow_all()
    cards = people.in_hand(people.students()[:2])
    with transaction.atomic():
        numbers([each.id for each in cards])
    interop.follow_all()
    tong.dial(refuse=1)
    send()

    people.log_in(page, "operator")
    page.get_by_role("link", name="接口总览").first.click()
    expect(page.get_by_text("迟缓")).to_be_visible()
    assert_sound(page)
    picture(page, "city-interfaces")
    page.get_by_role("link", name="北京通（模拟器）").click()
    expect(page.get_by_text("没有这张卡").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-interface")
    page.get_by_role("link", name="out").or_(page.locator("table a.xk-link, table a")).first.click()
    expect(page.get_by_text("对方不接受内容").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-message")

"""With the transit company: a school extends and binds again, the city takes a granted range."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect
from pytest_django import Settings

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture, town
from tests.unit.transit.conftest import documented
from xueka.contexts.transit import api as transit
from xueka.contexts.transit.models import Binding, Paper
from xueka.kernel import clock
from xueka.platform.exchange.applying import Message

__all__ = ["town"]
pytestmark = pytest.mark.django_db(transaction=True)


def said(kind: str, key: str, **data: object) -> Message:
    return Message("transit", "m", kind, key, 1, None, data)


@pytest.fixture
def partner(tmp_path: Path, settings: Settings) -> None:
    """A company that has handed over its file; its words are spoken by the test."""
    settings.EXCHANGE_PARTNERS = tmp_path
    (tmp_path / "transit").mkdir()
    card = {"name": "一卡通公司", "base": "http://127.0.0.1:9", "send_secrets": ["whsec_" + "A" * 43 + "="]}
    (tmp_path / "transit" / "partner.json").write_text(json.dumps(card))


def test_extended_sent_again_and_a_range_taken(page: Page, town: Town, partner: None) -> None:
    children = town.students()[:4]
    held = town.in_hand(children)
    documented([each.id for each in children])
    with transaction.atomic():
        transit.follow(SYSTEM)
        transit.catch_up(SYSTEM)
        for card in held:
            both = {"card": card.number, "transit_number": card.transit_number}
            good = card.id != held[0].id
            why = {} if good else {"code": "NAME_MISMATCH", "reason": "姓名与证件号码不一致"}
            key = f"card:{card.number}"
            transit.hear_answer(SYSTEM, said("binding.answered", key, **both, ask=1, accepted=good, **why))
            ends = clock.today() + timedelta(days=20)
            told = {"fare": "student", "valid_until": str(ends), "as_of": clock.now().isoformat()}
            transit.hear_validity(SYSTEM, said("validity.changed", key, **both, **told))

    town.log_in(page, "school")
    page.get_by_role("link", name="公交延期").click()
    assert_sound(page)
    picture(page, "school-transit-extend")
    for box in (
        page.get_by_role("checkbox", name="选择").all() or page.locator("tbody input[type=checkbox]").all()
    ):
        box.check()
    page.get_by_role("button", name="申请延期").click()
    expect(page.get_by_text("还没有实名")).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name="申请 3 张").click()
    expect(page.get_by_text("已申请 3 张")).to_be_visible()
    assert_sound(page)

    page.get_by_role("link", name="公交实名").click()
    expect(page.get_by_text("姓名与证件号码不一致")).to_be_visible()
    assert_sound(page)
    picture(page, "school-transit-bindings")
    row = page.get_by_role("row").filter(has_text="姓名与证件号码不一致")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="再送实名").click()
    page.get_by_role("button", name="再送 1 张").click()
    expect(page.get_by_text("已再送 1 张")).to_be_visible()
    assert Binding.objects.filter(state="sent", ask=2).count() == 1

    stopped = held[1]
    data = {"card": stopped.number, "transit_number": stopped.transit_number, "blocked": True}
    more = {"reason": "消费异常", "as_of": clock.now().isoformat()}
    with transaction.atomic():
        transit.hear_block(SYSTEM, said("card.blocked", f"card:{stopped.number}", **data, **more))
    page.goto("/")
    page.get_by_role("link", name="公交停用").click()
    expect(page.get_by_text("消费异常")).to_be_visible()
    assert_sound(page)
    picture(page, "school-transit-blocks")
    page.get_by_role("row").filter(has_text="消费异常").get_by_role("checkbox").check()
    page.get_by_role("button", name="登记处理").click()
    page.get_by_role("button", name="登记 1 张").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("已告知家长").click()
    dialog.get_by_role("button").last.click()
    expect(page.get_by_text("已登记 1 张。")).to_be_visible()
    assert_sound(page)

    page.context.clear_cookies()
    town.log_in(page, "operator")
    page.get_by_role("link", name="一卡通往来").click()
    page.get_by_role("link", name="申请号段").click()
    page.get_by_label("要多少个号").fill("5000")
    page.get_by_label("用途").fill("新学年新生")
    page.get_by_role("button", name="申请", exact=True).click()
    expect(page.get_by_text("已送一卡通公司")).to_be_visible()
    paper = Paper.objects.get(kind="range")
    granted = {"prefix": "10008800", "width": 8, "first": 1, "last": 5000, "document": "批复 1"}
    head = {"number": paper.number, "turn": 1, "accepted": True, "note": ""}
    with transaction.atomic():
        transit.hear_paper(SYSTEM, said("range.granted", f"range:{paper.number}", **head, **granted))
    page.reload()
    expect(page.get_by_role("cell", name="10008800")).to_be_visible()
    assert_sound(page)
    picture(page, "city-transit-paper")
    page.get_by_role("button", name="登记这个号段").click()
    page.get_by_role("dialog").get_by_role("button", name="登记这个号段").click()
    expect(page.get_by_text("已采用")).to_be_visible()
    page.get_by_role("link", name="一卡通往来").click()
    assert_sound(page)
    picture(page, "city-transit-papers")
    page.get_by_role("link", name="号段与空白卡").click()
    expect(page.get_by_text("1000880000000001").first).to_be_visible()

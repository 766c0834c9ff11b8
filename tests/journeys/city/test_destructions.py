"""Dead cards are scanned onto a list, taken off again, and destroyed before two witnesses."""

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.cards import api as cards


def test_collected_cards_are_destroyed_on_record(page: Page, people: Town) -> None:
    held = people.in_hand(people.students()[:4])
    with transaction.atomic():
        for card in held[:3]:
            cards.cancel(SYSTEM, card.id, "学生离校")
    people.log_in(page, "operator")
    page.goto("/city/destructions/")
    assert_sound(page)
    page.get_by_role("button", name="新销毁单").first.click()
    expect(page.get_by_text("已建立").first).to_be_visible()
    for code, said in (
        (held[0].number, "已放入"),
        (held[1].transit_number, "已放入"),
        (held[3].number, "请先注销再销毁"),
        ("000", "不是本系统的卡"),
        (held[0].number, "已在销毁单"),
    ):
        page.get_by_label("扫描卡号").fill(code)
        page.keyboard.press("Enter")
        expect(page.locator(".xk-scan-said")).to_contain_text(said)
    page.reload()
    assert_sound(page)
    picture(page, "city-destruction")
    page.get_by_role("button", name=f"取出 {held[0].number}").click()
    expect(page.get_by_text("已取出").first).to_be_visible()
    page.get_by_role("link", name="从列表选").click()
    assert_sound(page)
    page.get_by_label("选中本页全部").check()
    page.get_by_role("button", name="放入销毁单").click()
    page.get_by_role("button", name="放入 2 张").click()
    expect(page.get_by_text("已放入 2 张")).to_be_visible()

    for label, text in (
        ("地点", "市卡管中心库房"),
        ("销毁人", "秦川"),
        ("监销人一", "秦川"),
        ("监销人二", "许静"),
        ("记录编号", "销 2026-1"),
    ):
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="签字销毁").click()
    expect(page.locator(".xk-problem")).to_contain_text("三个不同的人")
    page.get_by_label("监销人一").fill("何敏")
    page.get_by_role("button", name="签字销毁").click()
    expect(page.get_by_text("3 张卡已销毁").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-destruction-record")
    assert {cards.card(SYSTEM.scope, card.id).state for card in held[:3]} == {"destroyed"}
    assert page.get_by_role("button", name="取出").count() == 0

"""A card went to the wrong child: rehearsed by one operator, put right by another, and undone."""

from playwright.sync_api import Page, expect

from tests.journeys.city.test_line import log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry


def state(number: str) -> str:
    return cards.card(SYSTEM.scope, number).state


def test_a_wrong_hand_out_is_put_right_and_undone(page: Page, people: Town) -> None:
    [card, *_] = people.in_hand(people.students()[:2])
    one, twin = people.students("second")[:2]
    same = {"name": one.name, "sex": one.sex, "birth_year": one.birth_year, "phone_index": b"1" * 32}
    registry.Student.objects.filter(id__in=[one.id, twin.id]).update(**same)
    people.log_in(page, "operator")
    page.goto("/city/repairs/")
    assert_sound(page)
    press(page, "现在巡查")
    expect(page.get_by_text("疑似一人两条学籍")).to_be_visible()
    press(page, "我来处理")
    expect(page.locator("main")).to_contain_text("王芳")
    assert_sound(page)
    picture(page, "city-repairs", whole=False)

    page.get_by_role("link", name="新建修复").click()
    assert_sound(page)
    page.get_by_role("link", name="误发放的卡退回").click()
    page.get_by_label("卡号", exact=True).fill("999999999999")
    page.get_by_label("为什么要修复").fill("两个孩子的卡发反了")
    press(page, "预演")
    expect(page.get_by_text("没有这张卡").first).to_be_visible()
    assert_sound(page)
    page.get_by_label("卡号", exact=True).fill(card.number)
    press(page, "预演")
    expect(page.get_by_text("预演通过，没有改动数据")).to_be_visible()
    assert state(card.number) == "active"
    assert_sound(page)
    picture(page, "city-repair", whole=False)
    address = page.url

    log_out(page)
    people.log_in(page, "operator2")
    page.goto(address)
    press(page, "批准修复", "批准修复")
    expect(page.locator("main")).to_contain_text("已修复")
    assert state(card.number) == "at_school"
    press(page, "申请还原")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("没有发反")
    dialog.get_by_role("button", name="提交", exact=True).click()
    expect(page.get_by_text("已申请还原")).to_be_visible()

    log_out(page)
    people.log_in(page, "operator")
    page.goto(address)
    press(page, "批准还原", "批准还原")
    expect(page.locator("main")).to_contain_text("已还原")
    assert state(card.number) == "active"

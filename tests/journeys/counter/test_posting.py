"""A card that goes home by post: label, waybill, back once, out again, signed for; the counter's blanks."""

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, add_user, picture
from tests.support.families import with_guardian
from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import api as replacements
from xueka.contexts.replacements import jobs
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import GUARDIAN, Scope

pytestmark = pytest.mark.django_db(transaction=True)


def ready_to_post(town: Town, child: registry.Student) -> tuple[replacements.Replacement, cards.Card]:
    """A free replacement that its family wants by post, made at the counter."""
    [old] = town.in_hand([child])
    with_guardian(child.id, "13800000001", born="2010-03-02")
    parent = Actor.in_role("guardian:1", "家长", GUARDIAN, Scope(GUARDIAN, children=frozenset([child.id])))
    where = replacements.address("王建国", "13800000001", "东城区某街道某小区 1 号楼 2 单元 301")
    with transaction.atomic():
        made = replacements.begin(parent, old.number, "data_change")
        replacements.choose_delivery(parent, made.id, "home", where)
        made = replacements.submit(parent, made.id)
        for _ in range(2):
            cards.approve(Actor.system("reviewer"), [made.application_id or 0])
    jobs.follow()
    with transaction.atomic():
        card = cards.issue_at_counter(SYSTEM, made.application_id or 0)
        cards.finish_at_counter(SYSTEM, card.id, "04A1B2C3000009")
    jobs.follow()
    return made, card


def test_a_card_is_posted_comes_back_and_is_signed_for(page: Page, town: Town) -> None:
    child = town.students()[0]
    made, card = ready_to_post(town, child)
    town.passwords["counter"] = add_user("counter", "秦朗", "counter_operator", town.schools["first"])
    town.log_in(page, "counter")
    page.goto(f"/counter/cards/{card.number}/")
    expect(page.get_by_role("heading", name="这张卡邮寄到家")).to_be_visible()
    assert_sound(page)
    page.goto("/counter/")
    expect(page.get_by_text("没有等着制的卡")).to_be_visible()  # it clogs no queue
    page.get_by_role("link", name="邮寄到家").click()
    assert_sound(page)
    picture(page, "counter-parcels")
    page.get_by_role("link", name=child.name).click()
    expect(page.get_by_text("某小区")).to_have_count(0)
    with page.expect_download() as label:
        page.get_by_role("button", name="打印面单").click()
    assert label.value.suggested_filename == f"{made.number}.pdf"
    page.get_by_label("运单号").fill("SF1")
    page.get_by_role("button", name="登记寄出").click()
    expect(page.get_by_text("请填写承运商和运单号。")).to_be_visible()
    assert_sound(page)
    page.get_by_label("运单号").fill("SF1234567890")
    page.get_by_role("button", name="登记寄出").click()
    expect(page.get_by_text("已登记寄出")).to_be_visible()

    page.get_by_role("link", name="已寄出").click()
    page.get_by_role("link", name=child.name).click()
    picture(page, "counter-parcel")
    assert_sound(page)
    page.get_by_role("button", name="退回了").click()
    page.get_by_label("为什么退回").fill("地址不详")
    page.get_by_role("button", name="登记退回").click()
    expect(page.get_by_text("上次被退回：地址不详")).to_be_visible()
    page.get_by_label("运单号").fill("SF1234567891")
    page.get_by_role("button", name="登记寄出").click()
    expect(page.get_by_text("已登记寄出")).to_be_visible()
    page.goto(f"/counter/post/{made.number}/")
    page.get_by_label("谁签收的").select_option("family")
    page.get_by_role("button", name="登记签收").click()
    expect(page.get_by_text("新卡已启用，旧卡已作废。")).to_be_visible()
    expect(page.get_by_text("已领卡").first).to_be_visible()
    assert_sound(page)


def test_blanks_are_handed_to_a_counter_and_counted_there(page: Page, town: Town) -> None:
    lines = "".join(f"{place},04A1B2C3{place:06d}\n" for place in range(1, 21))
    with transaction.atomic():
        numbers.import_blank_lot(SYSTEM, f"序号,芯片UID\n{lines}".encode(), "L2026-01", "一卡通公司", "张三")
    town.passwords["counter"] = add_user("counter", "秦朗", "counter_operator", town.schools["first"])
    town.log_in(page, "operator")
    page.goto("/city/counters/")
    page.get_by_role("link", name="发给柜台").click()
    page.get_by_label("柜台", exact=True).select_option("110101")
    for label, value in (
        ("序号从", "1"),
        ("序号到", "10"),
        ("清点张数", "9"),
        ("交出人", "王芳"),
        ("接收人", "秦朗"),
        ("交接单据", "GT-2026-1"),
    ):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_text("清点的张数与库存不符。")).to_be_visible()
    assert_sound(page)
    page.get_by_label("清点张数").fill("10")
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_text("已登记发给柜台 10 张")).to_be_visible()
    with transaction.atomic():
        numbers.spoil_chip("04A1B2C3000003", "印花")
    page.reload()
    assert_sound(page)
    picture(page, "city-counters")
    page.context.clear_cookies()
    town.log_in(page, "counter")
    page.get_by_role("link", name="空白卡").first.click()
    expect(page.get_by_role("region", name="库存")).to_contain_text("相符")
    assert_sound(page)

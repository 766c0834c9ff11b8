"""A parent on a phone of 360 px: signs in, blocks a lost card, replaces one, sees every step."""

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.support import PHONE, assert_sound
from tests.journeys.town import SYSTEM, Town, picture, town
from tests.support.families import code_of, with_guardian
from xueka.contexts.cards import api as cards
from xueka.contexts.registry import api as registry
from xueka.contexts.replacements import jobs

__all__ = ["town"]
pytestmark = pytest.mark.django_db(transaction=True)
MOBILE = "13800000001"


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    return page


def sign_in(page: Page, education_id: str) -> None:
    page.goto("/parent/")
    page.get_by_label("孩子的教育ID").fill(education_id)
    page.get_by_label("监护人手机号").fill(MOBILE)
    page.get_by_role("button", name="获取验证码").click()
    page.get_by_label("验证码").fill(code_of(MOBILE))
    page.get_by_role("button", name="登录").click()


def look(page: Page, name: str) -> None:
    """Sound, and a picture for the manual as a phone shows it."""
    assert_sound(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    picture(page, f"parent-{name}")


def test_a_parent_replaces_a_card_for_free_and_sees_every_step(phone: Page, town: Town) -> None:
    child = town.students()[0]
    town.in_hand([child])
    with_guardian(child.id, MOBILE, born="2016-03-02")
    with transaction.atomic():
        if registry.last_consent(child.id) == "given":
            registry.record_consent(SYSTEM, [child.id], "withdrawn", "2026-1", "", "paper")
    sizes: list[int] = []
    phone.on("response", lambda answer: sizes.append(len(answer.body())) if answer.ok else None)
    phone.goto("/parent/")
    phone.wait_for_load_state("networkidle")
    assert sum(sizes) < 100_000, sizes
    look(phone, "sign-in")
    sign_in(phone, child.education_id)
    expect(phone.get_by_role("heading", name=child.name)).to_be_visible()
    look(phone, "child")

    phone.get_by_role("link", name="补卡换卡").click()
    expect(phone.get_by_role("heading", name="儿童个人信息告知书")).to_be_visible()
    look(phone, "consent")
    phone.get_by_label("监护人姓名").fill("王建国")
    phone.get_by_role("button", name="我是监护人").click()
    phone.get_by_role("link", name="补卡换卡").click()
    expect(phone.get_by_text("¥20.00")).to_be_visible()
    expect(phone.get_by_text("承诺")).to_be_visible()
    phone.get_by_label("姓名等卡面信息变了").check()
    look(phone, "reason")
    phone.get_by_role("button", name="下一步：送到哪里").click()
    phone.get_by_label("邮寄到家").check()
    phone.get_by_role("button", name="下一步").click()
    expect(phone.get_by_text("请填写收件人。")).to_be_visible()
    look(phone, "where")
    phone.get_by_label("收件人").fill("王建国")
    phone.get_by_label("收件手机").fill("12ab")
    phone.get_by_label("收件地址").fill("东城区某街道某小区 1 号楼 301")
    phone.get_by_role("button", name="下一步").click()
    expect(phone.get_by_text("手机号码格式不符")).to_be_visible()
    phone.get_by_label("收件手机").fill(MOBILE)
    phone.get_by_role("button", name="下一步").click()
    expect(phone.get_by_text("邮寄到家")).to_be_visible()
    phone.get_by_role("link", name="更改").click()
    phone.get_by_label("送到学校").check()
    phone.get_by_role("button", name="下一步").click()
    expect(phone.get_by_text("信息变更换卡免费")).to_be_visible()
    look(phone, "check")
    phone.get_by_role("button", name="提交", exact=True).click()
    expect(phone.get_by_text("已受理").first).to_be_visible()
    expect(phone.get_by_text("送达").first).to_be_visible()
    look(phone, "progress")

    made = cards.application_rows(SYSTEM.scope).filter(reason="data_change").get()
    with transaction.atomic():
        for _ in range(2):
            cards.approve(SYSTEM, [made.id])
        [planned] = cards.plan_cards(SYSTEM, [made.id])
    jobs.follow()
    phone.reload()
    expect(phone.get_by_text("制卡中").first).to_be_visible()
    expect(phone.get_by_role("link", name="取消办理")).to_have_count(0)
    with transaction.atomic():
        cards.order_cards(SYSTEM, [planned.id])
        cards.confirm_made(SYSTEM, [(planned.id, "04AABBCCDD")])
        cards.pack(SYSTEM, [planned.id])
        cards.dispatch(SYSTEM, [planned.id])
        cards.receive(SYSTEM, [planned.id])
        cards.hand_out(SYSTEM, [planned.id])
    jobs.follow()
    phone.reload()
    expect(phone.get_by_text("已领卡").first).to_be_visible()
    look(phone, "done")


def test_a_lost_card_is_blocked_waits_for_its_fee_and_is_called_off(phone: Page, town: Town) -> None:
    child, stranger = town.students()[:2]
    other = town.in_hand([child, stranger])[1]
    with_guardian(child.id, MOBILE, born="2010-03-02")
    sign_in(phone, child.education_id)
    phone.get_by_role("link", name="挂失").click()
    expect(phone.get_by_text("即时生效")).to_be_visible()
    look(phone, "lost")
    phone.get_by_role("button", name="确认挂失").click()
    expect(phone.get_by_text("已挂失").first).to_be_visible()
    here = phone.url
    phone.get_by_role("link", name="短信提醒").click()
    phone.get_by_role("button", name="不再接收提醒短信").click()
    expect(phone.get_by_text("不再发新卡待领")).to_be_visible()
    phone.get_by_role("button", name="恢复提醒短信").click()
    expect(phone.get_by_text("已恢复提醒短信。")).to_be_visible()
    look(phone, "messages")
    phone.goto(here)
    phone.get_by_role("link", name="补卡换卡").click()
    phone.get_by_role("button", name="下一步：送到哪里").click()
    phone.get_by_role("button", name="下一步").click()
    phone.get_by_role("button", name="提交并缴费 ¥20.00").click()
    expect(phone.get_by_role("heading", name="缴费 ¥20.00")).to_be_visible()
    look(phone, "pay")
    phone.get_by_role("link", name="返回进度").click()
    expect(phone.get_by_text("待缴费").first).to_be_visible()
    look(phone, "unpaid")
    phone.get_by_role("link", name="取消办理").click()
    look(phone, "cancel")
    phone.get_by_role("button", name="确认取消").click()
    expect(phone.get_by_text("已取消").first).to_be_visible()
    look(phone, "cancelled")
    phone.goto(f"/parent/children/{child.education_id}/transit/")
    look(phone, "transit")
    for path in (
        f"children/{stranger.education_id}",
        f"cards/{other.number}/lost",
        f"cards/{other.number}/replace",
    ):
        answer = phone.goto(f"/parent/{path}/")
        assert answer is not None and answer.status == 404, path
    phone.goto("/parent/")
    phone.get_by_role("button", name="退出").click()
    expect(phone.get_by_role("heading", name="家长登录")).to_be_visible()

"""The operator finds a stuck message, sees why, replays it and it arrives; matters with the other side."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from tests.support.channels_process import Exchange, exchange_running
from tests.unit.interop.conftest import send
from tests.unit.interop.test_cards_told import numbers
from xueka.contexts.coordination import api as coordination
from xueka.contexts.interop import api as interop
from xueka.platform.exchange.counterparts import counterpart

CODE = "beijing-tong"
LIMITS = json.dumps({"retry_base": 0, "breaker_base": 0})


@pytest.fixture
def tong(tmp_path: Path, settings: Any) -> Iterator[Exchange]:
    settings.EXCHANGE_PARTNERS = tmp_path
    with exchange_running(tmp_path / CODE, 1, "--limits", LIMITS) as simulator:
        yield simulator


def say(page: Page, button: str, text: str, answer: str = "") -> None:
    """Press a button whose question wants a reason."""
    page.get_by_role("button", name=button, exact=True).first.click()
    page.get_by_role("dialog").locator("[name=note]").fill(text)
    page.get_by_role("dialog").get_by_role("button", name=answer or button, exact=True).click()


def test_a_stuck_message_is_found_understood_and_replayed(
    page: Page, people: Town, tong: Exchange, settings: Any
) -> None:
    settings.INTEROP_TELL_AGAIN = 0  # what differs waits for a person
    interop.follow_all()
    cards = people.in_hand(people.students()[:3])
    with transaction.atomic():
        names = numbers([each.id for each in cards])
    tong.dial(refuse=1)
    interop.follow_all()
    send()
    interop.sample_interfaces()
    interop.measure_quality()

    people.log_in(page, "operator")
    page.get_by_role("link", name="接口总览").first.click()
    expect(page.get_by_text("3 件停下，等人处理")).to_be_visible()
    expect(page.get_by_role("img", name="短信近 24 小时最久的等待：没有超时")).to_be_visible()
    assert_sound(page)
    picture(page, "city-interfaces", whole=False)
    page.get_by_role("region", name="现在").get_by_role("link", name="短信", exact=True).click()
    expect(page.locator("#quality").get_by_text("近 30 天的质量")).to_be_visible()
    expect(page.get_by_role("cell", name="到了手机上的 ÷ 有送达回执的")).to_be_visible()
    assert_sound(page)
    page.goto("/city/interfaces/at/mail/")
    expect(page.get_by_role("cell", name="没有退信的 ÷ 邮件服务器收下的")).to_be_visible()
    page.goto("/city/interfaces/")
    page.get_by_role("link", name="北京通（模拟器）").click()
    expect(page.get_by_text("没有这张卡").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-interface")
    page.get_by_role("row", name=f"卡 {names[0]}").get_by_role("link").first.click()
    expect(page.get_by_text("对方不接受内容").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-message")
    message = page.url

    # The other side is asked, and says that it has mended it.
    page.get_by_role("link", name="请对方处理").click()
    expect(page.get_by_label("标题")).to_have_value(f"卡 {names[0]} 的消息停发")
    assert_sound(page)
    page.get_by_role("button", name="提出", exact=True).click()
    expect(page.get_by_text("已提出，期限")).to_be_visible()
    matter = page.url
    say(page, "向对方提出", "发函并电话告知")
    say(page, "登记答复", "对方补登了卡号")
    page.goto("/city/coordination/?party=beijing_tong")
    assert_sound(page)
    picture(page, "city-matters", whole=False)

    page.goto("/city/coordination/new/")
    page.get_by_label("标题").fill("一张卡")
    page.get_by_label("所涉对象").select_option("card")
    page.get_by_label("对象的编号").fill("999")
    page.get_by_role("button", name="提出", exact=True).click()
    expect(page.get_by_text("没有这个学生卡").first).to_be_visible()

    # It goes again, and arrives.
    tong.dial(refuse=0)
    page.goto(message)
    press(page, "补发")
    expect(page.get_by_text("属于 1 个对象")).to_be_visible()
    assert_sound(page)
    say(page, "补发 2 条", "对方已补登", "补发")
    expect(page.get_by_text("已排入补发")).to_be_visible()
    send()
    page.reload()
    expect(page.get_by_text("已送达").first).to_be_visible()
    page.get_by_role("link", name="发出的消息").first.click()
    page.get_by_label("选中本页全部").check()
    page.get_by_role("button", name="补发").first.click()
    expect(page.get_by_text("属于 3 个对象")).to_be_visible()
    page.goto(f"/city/interfaces/trace/?q={names[0]}")
    expect(page.get_by_role("cell", name="已送达")).to_have_count(2)
    assert_sound(page)
    picture(page, "city-trace")
    page.goto(f"/city/interfaces/at/{CODE}/bookmark/")
    page.get_by_label("只要停发的").check()
    page.get_by_role("button", name="看预览").click()
    say(page, "补发 4 条", "对方已补登", "补发")
    expect(page.get_by_text("已排入补发：2 个对象的 4 条")).to_be_visible()
    send()

    page.goto(matter)
    expect(page.get_by_text("（卡状态，卡 ")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile(r"^发出的 \d+$"))).to_be_visible()
    letter = {"name": "复函.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 a letter"}
    page.get_by_label("文件").set_input_files(letter)
    page.get_by_label("说明（可不填）").fill("对方的复函")
    page.get_by_role("button", name="加附件").click()
    expect(page.get_by_text("复函.pdf 已收下")).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("link", name="复函.pdf").click()
    assert taken.value.path().read_bytes() == letter["buffer"]
    say(page, "办结", "三条都已送达")
    expect(page.get_by_text("已办结").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-matter")
    assert coordination.pressing(SYSTEM.scope) == 0
    assert tong.get("records") and interop.standing_of(SYSTEM, CODE).dead == 0

    # Both sides are compared; what differs is a work list.
    tong.put("record", dataset="card-status", key=names[1], text=f"{names[1]}|?|cancelled")
    page.goto(f"/city/interfaces/at/{CODE}/")
    press(page, "立即核对")
    expect(page.get_by_text("正在核对").first).to_be_visible()
    assert_sound(page)
    interop.compare_asked()
    expect(page.get_by_text("1 项差异").first).to_be_visible()
    assert_sound(page)
    page.goto("/city/interfaces/differences/")
    assert_sound(page)
    page.get_by_role("link", name=names[1]).first.click()
    expect(page.get_by_text("内容不同").first).to_be_visible()
    assert_sound(page)
    picture(page, "city-difference")
    press(page, "补发")
    press(page, "补发 1 项", "补发")
    expect(page.get_by_text("已补发，待核对").first).to_be_visible()
    send()
    assert interop.reconcile(SYSTEM, counterpart(CODE), "card-status").differing == 0

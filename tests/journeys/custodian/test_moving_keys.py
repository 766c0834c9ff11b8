"""Keys come in components and leave in blocks; where they go is planned, their arrival is known."""

from datetime import timedelta

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.test_line import log_out, press
from tests.journeys.custodian.test_keys import CONTROL, people, press_with_reason
from tests.journeys.support import assert_sound
from tests.journeys.town import Town, picture, town
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.models import KeyPart
from xueka.kernel import clock
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import card_ciphers
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

__all__ = ["people", "town"]
CITY = Scope("city")
LABEL = "education.mf.maintain"
PARTS = {"anne": bytes(range(1, 17)), "bert": bytes(range(101, 117))}
WHOLE = bytes(a ^ b for a, b in zip(*PARTS.values(), strict=True))


def kcv(key: bytes) -> str:
    return card_ciphers.kcv("3des", key)


def enter(page: Page, text: str, check: str) -> None:
    page.get_by_label("分量", exact=True).fill(text)
    page.get_by_label("分量的校验值").fill(check)
    press(page, "收下分量")


def test_two_custodians_bring_a_component_each(page: Page, people: Town) -> None:
    with transaction.atomic():
        keys.make_demo_keys()
    people.log_in(page, "anne")
    page.goto(f"/custodian/keys/{LABEL}/")
    page.get_by_role("link", name="分量导入").click()
    assert_sound(page)
    page.get_by_label("校验值").fill(kcv(WHOLE))
    page.get_by_role("checkbox", name="沈静").check()
    page.get_by_role("checkbox", name="韩立").check()
    page.get_by_label("原因").fill("接管原系统的密钥")
    press(page, "预览")
    expect(page.get_by_text("将提交的申请")).to_be_visible()
    assert not keys.waiting(CITY).exists()
    assert_sound(page)
    press(page, "提交申请")
    address = page.url
    page.get_by_role("link", name="录入我的分量").click()
    box = page.get_by_label("分量", exact=True)
    expect(box).to_have_attribute("autocomplete", "off")
    enter(page, PARTS["anne"].hex()[:-1] + "f", kcv(PARTS["anne"]))
    expect(page.get_by_text("有一处输错了").first).to_be_visible()
    assert PARTS["anne"].hex()[:8] not in page.content()
    assert box.input_value() == ""
    assert_sound(page)
    page.get_by_label("分量的校验值").fill(kcv(PARTS["anne"]))
    box.fill(PARTS["anne"].hex(" ", 4))
    press(page, "收下分量")
    expect(page.get_by_text(f"校验值 {kcv(PARTS['anne'])}").first).to_be_visible()
    expect(page.get_by_role("button", name="确认执行")).to_be_disabled()
    page.get_by_role("link", name="重新录入分量").click()
    expect(box).to_have_value("")
    assert PARTS["anne"].hex()[:8] not in page.content().replace(" ", "")

    log_out(page)
    people.log_in(page, "bert")
    expect(page.get_by_text("待您录入分量")).to_be_visible()
    assert_sound(page)
    page.goto(address)
    expect(page.locator("main")).to_contain_text(kcv(PARTS["anne"]))
    expect(page.get_by_role("button", name="确认执行")).to_be_disabled()
    page.get_by_role("link", name="录入我的分量").click()
    enter(page, PARTS["bert"].hex(), kcv(PARTS["bert"]))
    expect(page.locator("main")).to_contain_text(f"{kcv(WHOLE)}，与申请的一致")
    assert_sound(page)
    picture(page, "custodian-part", whole=False)
    press(page, "确认执行", "确认执行")
    expect(page.locator("main")).to_contain_text("已执行")
    made = keys.version(CITY, LABEL, 2)
    assert (made.kcv, made.origin, made.state) == (kcv(WHOLE), "components", "pre_active")
    assert not KeyPart.objects.exclude(sealed=None).exists()
    told = str(list(Entry.objects.values_list("detail", flat=True)))
    assert not any(part.hex() in told for part in PARTS.values())
    assert_sound(page)


@pytest.mark.usefixtures("people")
def test_a_block_leaves_and_its_arrival_is_known(page: Page, people: Town) -> None:
    with transaction.atomic():
        keys.make_demo_keys()
    people.log_in(page, "anne")
    page.goto(f"/custodian/keys/{CONTROL}/1/")
    assert_sound(page)
    page.get_by_role("link", name="导出密钥块").click()
    assert_sound(page)
    page.get_by_label("接收方").fill("样例卡厂 密钥室")
    page.get_by_label("传输密钥").select_option("transport.bureau")
    page.get_by_label("原因").fill("卡厂预先装入")
    press(page, "预览")
    expect(page.locator("main")).to_contain_text("用它制成的卡")
    assert_sound(page)
    press(page, "提交申请")
    export = page.url

    log_out(page)
    people.log_in(page, "bert")
    page.goto(export)
    press(page, "确认执行", "确认执行")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载密钥块").click()
    assert waiting.value.path().read_text().startswith("1")
    assert Entry.objects.filter(action="key.block_taken", actor="bert").count() == 1
    page.goto(export)
    assert_sound(page)
    page.goto(f"/custodian/keys/{CONTROL}/1/")
    page.get_by_role("link", name="安排交付").click()
    page.get_by_role("radio", name="卡厂").check()
    page.get_by_label("接收方", exact=True).fill("样例卡厂 密钥室\n第二卡厂")
    page.get_by_label("方式").select_option("block")
    page.get_by_label("最迟到达日").fill((clock.today() + timedelta(days=7)).isoformat())
    page.get_by_label("原因").fill("秋季制卡")
    assert_sound(page)
    press(page, "预览")
    expect(page.locator("main")).to_contain_text("卡厂，2 个")
    press(page, "提交申请")
    number = page.url.rstrip("/").rsplit("/", 1)[1]
    anne = Actor.in_role("anne", "沈静", "key_custodian", CITY)
    with transaction.atomic():
        keys.confirm(anne, number)
        first, second = keys.deliveries(CITY).order_by("id")
        keys.send_delivery(anne, first.number, export.rstrip("/").rsplit("/", 1)[1])

    page.goto(f"/custodian/deliveries/{second.number}/")
    press_with_reason(page, "交出", "运单 SF10001", "交出")
    expect(page.get_by_text("已登记交出")).to_be_visible()
    expect(page.get_by_role("button", name="确认到达")).to_be_disabled()
    press_with_reason(page, "撤回交出", "包裹退回", "撤回交出")
    page.goto(f"/custodian/deliveries/{first.number}/")
    assert_sound(page)
    press_with_reason(page, "确认到达", "000000", "确认到达")
    expect(page.get_by_text("与台账不符").first).to_be_visible()
    page.goto(f"/custodian/deliveries/{first.number}/")
    press_with_reason(page, "确认到达", first.version.kcv, "确认到达")
    expect(page.locator("main")).to_contain_text("已到达")
    page.get_by_role("link", name="交付计划").first.click()
    expect(page.locator("main")).to_contain_text("第二卡厂")
    assert_sound(page)
    picture(page, "custodian-deliveries", whole=False)
    page.goto(f"/custodian/keys/{CONTROL}/1/")
    expect(page.locator("main")).to_contain_text(first.number)
    assert_sound(page)

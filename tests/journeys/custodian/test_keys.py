"""A custodian asks for a rotation, another one confirms; the tree, a version's cards, a transcript."""

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys import town as towns
from tests.journeys.city.test_line import log_out, press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture, town
from xueka.contexts.keys import api as keys

__all__ = ["town"]
CONTROL = "education.mf.control"
PEOPLE = (
    ("keyadmin", "蒋文", "key_admin"),
    ("anne", "沈静", "key_custodian"),
    ("bert", "韩立", "key_custodian"),
)


@pytest.fixture
def people(town: Town) -> Town:
    for username, name, role in PEOPLE:
        town.passwords[username] = towns.add_user(username, name, role, town.schools["first"])
    return town


@transaction.atomic
def used(town: Town) -> None:
    """A few cards were made with the keys."""
    for card in town.made(town.students()[:4]):
        labels = [(CONTROL, None), ("education.adf.internal", None)]
        keys.card_keys(
            SYSTEM, labels, [card.id.to_bytes(8, "big")], purpose="personalize", subject=card.number
        )


def press_with_reason(page: Page, name: str, reason: str, button: str) -> None:
    page.get_by_role("button", name=name).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(reason)
    dialog.get_by_role("button", name=button, exact=True).click()


def test_one_custodian_asks_and_another_confirms(page: Page, people: Town) -> None:
    with transaction.atomic():
        keys.make_demo_keys()
        keys.note_platform_keys(SYSTEM)
    used(people)
    people.log_in(page, "anne")
    expect(page.get_by_role("heading", name="密钥管理")).to_be_visible()
    expect(page.get_by_role("link", name="本地主密钥")).to_be_visible()
    assert_sound(page)
    page.goto(f"/custodian/keys/{CONTROL}/")
    assert_sound(page)
    press_with_reason(page, "轮换", "每年轮换一次", "提交申请")
    expect(page.get_by_text("已申请，没有改动密钥")).to_be_visible()
    expect(page.get_by_role("button", name="确认执行")).to_be_disabled()
    assert_sound(page)
    assert keys.active(CONTROL).version == 1
    address = page.url

    log_out(page)
    people.log_in(page, "bert")
    expect(page.get_by_text("每年轮换一次")).to_be_visible()
    assert_sound(page)
    picture(page, "custodian-home")
    page.goto(address)
    picture(page, "custodian-change", whole=False)
    press(page, "确认执行", "确认执行")
    expect(page.locator("main")).to_contain_text("已执行")
    assert keys.active(CONTROL).version == 2
    page.get_by_role("link", name="第 2 版").click()  # what it has made
    expect(page.locator("main")).to_contain_text("使用中")

    page.goto("/custodian/keys/city_sm4.internal/1/")  # what a leak above would open
    expect(page.get_by_text("由它分散或保护的密钥")).to_be_visible()
    expect(page.get_by_role("link", name="国密教育应用内部认证密钥 第 1 版")).to_be_visible()
    assert_sound(page)

    page.goto(f"/custodian/keys/{CONTROL}/")
    expect(page.locator("main")).to_contain_text("仅验证")
    page.get_by_role("link", name="第 1 版").click()
    expect(page.get_by_text("张卡用了它")).to_be_visible()
    expect(page.locator("main")).to_contain_text("东城区")
    assert_sound(page)
    picture(page, "custodian-version", whole=False)
    page.goto("/custodian/ceremonies/")
    assert_sound(page)
    page.get_by_role("link", name="YS").first.click()
    expect(page.get_by_text("产生的密钥")).to_be_visible()
    assert_sound(page)
    page.goto("/custodian/uses/")
    assert_sound(page)


def test_a_key_is_registered_and_a_bad_block_is_refused(page: Page, people: Town) -> None:
    people.log_in(page, "keyadmin")
    expect(page.get_by_text("还没有密钥")).to_be_visible()
    assert_sound(page)
    with transaction.atomic():
        keys.make_demo_keys()
    page.goto("/custodian/keys/new/")
    assert_sound(page)
    page.get_by_label("密钥名称").fill("library.external")
    page.get_by_label("中文名称").fill("图书馆门禁密钥")
    page.get_by_label("类型").select_option("external")
    page.get_by_label("算法").select_option("sm4")
    page.get_by_label("保护其他密钥").check()
    page.get_by_label("由谁保护").select_option("kek.card")
    page.get_by_label("原因").fill("图书馆接入")
    press(page, "提交申请")
    expect(page.get_by_text("不能有这种用途").first).to_be_visible()
    assert_sound(page)
    page.get_by_label("保护其他密钥").uncheck()
    page.get_by_label("分散卡密钥").check()
    press(page, "提交申请")
    expect(page.get_by_text("已申请，没有改动密钥")).to_be_visible()
    assert not keys.keys(SYSTEM.scope).filter(label="library.external").exists()

    page.goto(f"/custodian/keys/{CONTROL}/import/")
    page.get_by_label("密钥块").fill("not a block")
    page.get_by_label("校验值").fill("12 34")
    page.get_by_label("原因").fill("接管")
    press(page, "提交申请")
    expect(page.get_by_text("校验值的格式不对").first).to_be_visible()
    assert_sound(page)
    page.goto("/custodian/keys/transit.load/")
    expect(page.get_by_text("从不持有它")).to_be_visible()
    assert_sound(page)
    page.goto("/custodian/keys/?state=foreign")
    expect(page.get_by_text("市政交通一卡通公司").first).to_be_visible()
    assert_sound(page)

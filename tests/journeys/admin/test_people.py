"""The administrators: a city role under two people; an officer opens her account with a sheet."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys import town as towns
from tests.journeys.support import assert_sound, log_in
from tests.journeys.town import Town, picture, town
from xueka.platform.identity import accounts

__all__ = ["town"]


@pytest.fixture
def people(town: Town) -> Town:
    for username, name, role in (("admin", "陈立", "city_admin"), ("security", "卫平", "security_admin")):
        town.passwords[username] = towns.add_user(username, name, role, town.schools["first"])
    return town


def test_a_city_role_takes_two_people(page: Page, people: Town) -> None:
    log_in(page, "admin", people.passwords["admin"])
    expect(page.get_by_role("heading", name="今天")).to_be_visible()
    assert_sound(page)
    picture(page, "admin-home")
    page.goto("/admin/users/new/")
    page.get_by_label("姓名").fill("孙悦")
    page.get_by_label("用户名").fill("sunyue")
    page.get_by_label("角色").select_option("auditor")
    page.get_by_label("原因").fill("新到岗")
    page.get_by_role("button", name="开立并申请角色").click()
    expect(page.get_by_text("只显示这一次")).to_be_visible()
    page.goto("/admin/users/")
    assert_sound(page)
    page.goto("/admin/users/sunyue/")
    assert_sound(page)
    page.goto("/admin/matrix/")
    assert_sound(page)
    page.context.clear_cookies()
    people.log_in(page, "security")
    page.goto("/admin/requests/")
    assert_sound(page)
    page.get_by_role("button", name="确认授予").click()
    page.get_by_role("dialog").get_by_role("button", name="确认授予").click()
    expect(page.locator("main")).to_contain_text("已授予")
    assert [grant.role for grant in accounts.open_grants(accounts.find("sunyue"))] == ["auditor"]


def test_an_officer_opens_her_account_with_a_sheet(page: Page, people: Town) -> None:
    people.log_in(page, "district")
    page.goto("/officers/import/")
    assert_sound(page)
    content = f"学校标识码,姓名,角色,手机号\n{people.schools['first'].code},何老师,学校卡管老师,13800000001\n"
    page.get_by_label("名单（XLSX 或 CSV）", exact=True).set_input_files(
        {"name": "名单.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )
    page.get_by_label("总行数（核对用，可不填）").fill("1")
    page.get_by_role("button", name="正式导入").click()
    expect(page.locator("main")).to_contain_text("新开账号")
    assert_sound(page)
    page.get_by_role("link", name="去打印激活单").click()
    assert_sound(page)
    page.get_by_role("link", name="何老师").first.click()
    assert_sound(page)
    page.get_by_role("button", name="换发激活码").click()
    page.get_by_role("dialog").get_by_role("button", name="换发").click()
    expect(page.get_by_text("请本人拆封")).to_be_visible()
    assert_sound(page)
    found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", page.locator("main").inner_text())
    assert found
    page.context.clear_cookies()
    page.goto("/activate/")
    assert_sound(page)
    page.get_by_label("激活码").fill(found[0])
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("heading", name="何老师，您好")).to_be_visible()
    assert_sound(page)
    page.get_by_label("用户名").fill("he.laoshi")
    page.get_by_label("设一个密码").fill("Qianmen-Dajie-88")
    page.get_by_label("再输入一次密码").fill("Qianmen-Dajie-88")
    page.get_by_role("button", name="激活").click()
    log_in(page, "he.laoshi", "Qianmen-Dajie-88")
    page.goto("/officers/changes/")
    assert_sound(page)
    page.get_by_role("link", name="请人代理").click()
    assert_sound(page)
    page.goto("/sessions/")
    expect(page.get_by_text("本次登录")).to_be_visible()
    assert_sound(page)

"""What the administrators do most often takes five clicks from their first page."""

from importlib import import_module

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from tests.journeys import town as towns
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, clicks, town
from xueka.contexts.reporting import api as reporting
from xueka.platform.identity import accounts, lockouts, requests

__all__ = ["town"]

MOST = 5


@pytest.fixture
def people(town: Town) -> Town:
    for username, name, role in (("admin", "陈立", "city_admin"), ("security", "卫平", "security_admin")):
        town.passwords[username] = towns.add_user(username, name, role, town.schools["first"])
    return town


def test_a_role_is_confirmed_though_the_proof_has_run_out(page: Page, people: Town) -> None:
    with transaction.atomic():
        requests.ask(people.actor("city_admin", username="admin"), "district", "city_operator", "轮岗")
    people.log_in(page, "security")
    with clicks(page) as counted:
        page.get_by_role("link", name="去处理").click()
        forget_the_proof(page)
        confirm(page)
        expect(page.get_by_role("heading", name="确认是您本人")).to_be_visible()
        type_at_once(page, page.locator("input[name=proof]"), people.passwords["security"])
        page.keyboard.press("Enter")
        confirm(page)
        expect(page.locator("main")).to_contain_text("已授予")
        assert counted() <= MOST
    assert "city_operator" in [grant.role for grant in accounts.open_grants(accounts.find("district"))]


def confirm(page: Page) -> None:
    page.get_by_role("button", name="确认授予").click()
    page.get_by_role("dialog").get_by_role("button", name="确认授予").click()


def type_at_once(page: Page, field: Locator, text: str) -> None:
    """The field has the focus already: nobody clicks into it."""
    expect(field).to_be_focused()
    page.keyboard.type(text)


def forget_the_proof(page: Page) -> None:
    """As if the log-in lay more than a quarter of an hour back."""
    [key] = [each["value"] for each in page.context.cookies() if each["name"] == settings.SESSION_COOKIE_NAME]
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    session["proved"] = 0
    session.save()


def test_a_locked_person_is_released_and_her_password_reset(page: Page, people: Town) -> None:
    for _ in range(5):
        Client().post("/login/", {"username": "school", "password": "wrong"})
    assert [lock.username for lock in lockouts.locked_now()] == ["school"]
    people.log_in(page, "security")
    with clicks(page) as counted:
        page.get_by_role("listitem").filter(has_text="登录锁定").get_by_role("link", name="去看").click()
        page.get_by_role("button", name="解除").click()
        type_at_once(page, page.get_by_role("dialog").get_by_role("textbox"), "电话核实是本人")
        page.get_by_role("dialog").get_by_role("button", name="解除").click()
        expect(page.get_by_text("没有被锁定的账号")).to_be_visible()
        assert counted() <= MOST
    page.goto("/")
    with clicks(page) as counted:
        page.get_by_role("searchbox").click()
        page.keyboard.type("school")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="重置密码").click()
        type_at_once(page, page.get_by_role("dialog").get_by_role("textbox"), "忘记密码")
        page.get_by_role("dialog").get_by_role("button", name="重置密码").click()
        expect(page.get_by_text("只显示这一次")).to_be_visible()
        assert counted() <= MOST
    assert accounts.find("school").must_change_password


def test_a_list_is_let_out(page: Page, people: Town) -> None:
    with transaction.atomic():
        asked = reporting.ask_export(
            people.actor("school_officer"), "students", "发给班主任核对照片", in_clear=False
        )
    people.log_in(page, "security")
    with clicks(page) as counted:
        page.get_by_role("link", name="去批准").click()
        page.get_by_role("link", name=asked.number).click()
        page.get_by_role("button", name="批准", exact=True).click()
        expect(page.get_by_text("已批准，正在生成文件")).to_be_visible()
        assert counted() <= MOST
    assert reporting.export(SYSTEM.scope, asked.number).state == "approved"


def test_an_account_is_opened(page: Page, people: Town) -> None:
    people.log_in(page, "admin")
    assert_sound(page)
    with clicks(page) as counted:
        page.get_by_role("link", name="开立市级账号").click()
        type_at_once(page, page.get_by_label("姓名"), "孙悦")
        page.keyboard.press("Tab")  # from field to field by the key
        type_at_once(page, page.get_by_label("用户名"), "sunyue")
        page.keyboard.press("Tab")
        place = "select => [...select.options].findIndex(option => option.value === 'auditor')"
        for _ in range(page.get_by_label("角色").evaluate(place)):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        type_at_once(page, page.get_by_label("原因"), "新到岗")
        page.get_by_role("button", name="开立并申请角色").click()
        expect(page.get_by_text("只显示这一次")).to_be_visible()
        assert counted() <= MOST
    assert [(asked.user.username, asked.role) for asked in requests.waiting()] == [("sunyue", "auditor")]

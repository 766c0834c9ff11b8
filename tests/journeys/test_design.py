"""The style guide in a real browser: sound in light and dark, and its parts do what they promise."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import override_settings
from django.test.testcases import LiveServerThread
from playwright.sync_api import Page, expect

from tests.journeys.design_urls import ERRORS
from tests.journeys.support import PHONE, assert_sound, screenshot


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """One server for all pages of this module; they need no database, and none is at hand."""
    with override_settings(ROOT_URLCONF="tests.journeys.design_urls"):
        server = LiveServerThread("127.0.0.1", StaticFilesHandler)
        server.daemon = True
        server.start()
        server.is_ready.wait()
        yield f"http://127.0.0.1:{server.port}"
        server.terminate()


GUIDE = [
    "",
    "components/",
    "list/",
    "list/?q=没有这个人",
    "list/empty/",
    "object/",
    "pictures/",
    "forms/",
    "forms/?state=wrong",
    "scan/",
    "work/",
    "printed/",
    "refused/",
]


@pytest.mark.parametrize("address", GUIDE)
def test_every_page_of_the_style_guide_is_sound(page: Page, address: str) -> None:
    page.goto(f"/_design/{address}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert_sound(page)
    screenshot(page, f"design/{re.sub(r'[^a-z=]+', '-', address).strip('-') or 'foundations'}")


@pytest.mark.parametrize("address", ["/login/", "/_error/locked/", *(f"/_error/{name}/" for name in ERRORS)])
def test_pages_without_the_frame_are_sound(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert_sound(page)


def test_open_dialogs_and_menus_are_sound(page: Page) -> None:
    page.goto("/_design/object/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="键盘操作")).to_be_visible()
    assert_sound(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^挂失")).click()
    assert_sound(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("赵敏")).click()
    expect(page.get_by_role("button", name="退出登录")).to_be_visible()
    assert_sound(page)


def test_keyboard_in_a_list(page: Page) -> None:
    page.goto("/_design/list/")
    bulk = page.locator(".xk-bulk")
    expect(bulk).to_contain_text("未选中")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(bulk).to_contain_text("已选 2 人")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/object/"))


def test_selection_outlives_a_page_and_ends_with_the_filter(page: Page) -> None:
    page.goto("/_design/list/")
    bulk = page.locator(".xk-bulk")
    page.get_by_label("选中本页全部").check()
    expect(bulk).to_contain_text("已选 20 人")
    page.get_by_role("link", name="下一页").click()
    expect(page).to_have_url(re.compile("after="))
    expect(bulk).to_contain_text("已选 20 人")
    page.locator("[data-xk-key]").first.check()
    expect(bulk).to_contain_text("已选 21 人")
    page.get_by_label("学段").select_option("初中")
    expect(page).to_have_url(re.compile("stage=junior"))
    expect(page.get_by_text("学段：初中")).to_be_visible()
    expect(bulk).to_contain_text("未选中")
    page.get_by_role("link", name=re.compile("取消这项筛选")).click()
    expect(page.get_by_label("学段")).to_have_value("")


def test_everything_that_matches_travels_to_the_preview(page: Page) -> None:
    page.goto("/_design/list/")
    page.get_by_label("选中本页全部").check()
    page.get_by_role("button", name="选中符合筛选的全部 128 人").click()
    expect(page.locator(".xk-bulk")).to_contain_text("已选 128 人")
    page.get_by_role("button", name="通过").click()
    expect(page.get_by_role("heading", name="会办理 125 人")).to_be_visible()
    expect(page.get_by_role("heading", name="不会办理 3 人")).to_be_visible()
    assert_sound(page)


def test_search_as_one_types_narrows_the_list(page: Page) -> None:
    page.goto("/_design/list/")
    page.get_by_label("姓名或教育ID").press_sequentially("20240037")
    expect(page).to_have_url(re.compile("q=20240037"))
    expect(page.locator("[data-xk-row]")).to_have_count(1)


def test_a_view_is_kept_without_what_was_typed(page: Page) -> None:
    page.goto("/_design/list/?q=20240037&stage=junior&state=approved")
    page.get_by_role("button", name="记住现在的筛选").click()
    page.goto("/_design/list/")
    page.get_by_role("link", name="已通过，初中").click()
    expect(page).to_have_url(re.compile(r"\?state=approved&stage=junior$"))
    assert_sound(page)
    page.get_by_role("button", name="不再记住“已通过，初中”").click()
    page.reload()
    expect(page.locator(".xk-views")).to_contain_text("记住现在的筛选")
    expect(page.get_by_role("link", name="已通过，初中")).to_have_count(0)


def test_sort_turns_round(page: Page) -> None:
    page.goto("/_design/list/")
    page.get_by_role("link", name="教育ID").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("教育ID")
    page.get_by_role("link", name="教育ID").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("教育ID")
    expect(page.locator("[data-xk-row]").first).to_contain_text("20244736")


def test_a_failing_list_says_so_and_keeps_what_it_showed(page: Page) -> None:
    page.goto("/_design/list/")
    page.route("**/list/?*", lambda route: route.abort())
    page.get_by_role("link", name="下一页").click()
    expect(page.locator(".xk-list-failed")).to_contain_text("没有取到")
    expect(page.locator("[data-xk-row]")).to_have_count(20)


def test_an_ended_session_loses_nothing_that_was_picked(page: Page) -> None:
    page.goto("/_design/list/")
    page.get_by_label("选中本页全部").check()
    page.route("**/list/?*", lambda route: route.fulfill(status=401))
    page.get_by_role("link", name="下一页").click()
    dialog = page.get_by_role("dialog", name="登录已过期")
    expect(dialog.get_by_role("link", name="在新窗口登录")).to_have_attribute("href", re.compile("^/login/"))
    page.route("**/session/token/", lambda route: route.fulfill(body="a-new-token"))
    dialog.get_by_role("button", name="我已登录，继续").click()
    expect(page.locator(".xk-bulk")).to_contain_text("已选 20 人")
    expect(page.locator(".xk-bulk [name=csrfmiddlewaretoken]")).to_have_value("a-new-token")
    expect(page.locator("body")).to_have_attribute("hx-headers", re.compile("a-new-token"))


def test_a_reason_is_chosen_by_one_key(page: Page) -> None:
    page.goto("/_design/object/")
    page.keyboard.press("g")
    dialog = page.get_by_role("dialog", name="挂失这张卡")
    expect(dialog).to_be_visible()
    page.keyboard.press("2")
    expect(dialog.get_by_label("被盗")).to_be_checked()


def test_a_scanner_types_faster_than_answers_come(page: Page) -> None:
    page.goto("/_design/scan/")
    for code in ("111", "222", "333"):
        page.keyboard.type(code)
        page.keyboard.press("Enter")
    expect(page.locator(".xk-scan-said")).to_contain_text("333 不在本箱")
    expect(page.get_by_label("扫描条码，或键入号码后按回车")).to_have_value("")


def test_a_scan_that_is_not_recorded_is_said_so(page: Page) -> None:
    page.goto("/_design/scan/")
    page.route("**/scan/", lambda route: route.abort())
    page.keyboard.type("444")
    page.keyboard.press("Enter")
    expect(page.locator(".xk-scan-said")).to_contain_text("1 个扫描还没有记下")


def test_a_masked_value_is_shown_after_a_reason(page: Page) -> None:
    page.goto("/_design/object/")
    page.get_by_role("button", name="查看完整证件号码").click()
    dialog = page.get_by_role("dialog", name="查看完整证件号码")
    dialog.get_by_label("事由").fill("家长来电核对")
    dialog.get_by_role("button", name="查看").click()
    expect(page.get_by_text("110101201409021234")).to_be_visible()


def test_the_dark_switch_is_remembered(page: Page) -> None:
    page.goto("/_design/")
    page.get_by_role("button", name="切换深色与浅色").click()
    page.goto("/_design/object/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_a_chart_has_its_table_one_click_away(page: Page) -> None:
    page.goto("/_design/pictures/")
    chart = page.locator(".xk-chart").first
    expect(chart.locator("canvas")).to_be_visible()
    chart.get_by_role("button", name="看表").click()
    expect(chart.get_by_role("cell", name="3,200")).to_be_visible()


def test_an_unfit_file_is_refused_before_it_is_sent(page: Page) -> None:
    page.goto("/_design/components/")
    page.locator("input[type=file]").set_input_files(
        {"name": "照片.rar", "mimeType": "application/octet-stream", "buffer": b"x"}
    )
    expect(page.locator(".xk-drop-error")).to_contain_text("“照片.rar”不是所收的文件")


def test_the_drawer_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.goto("/_design/list/")
    page.get_by_role("button", name="打开导航").click()
    page.get_by_role("dialog").get_by_role("link", name="对象页").click()
    expect(page.get_by_role("heading", name="王子涵")).to_be_visible()

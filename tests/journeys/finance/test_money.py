"""A finance person takes the week's statements, reconciles, explains; another one signs."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.city.test_line import log_out, press
from tests.journeys.finance.conftest import Money, in_memory, money, town
from tests.journeys.support import assert_sound, screenshot
from tests.journeys.town import picture
from tests.unit.treasury.conftest import line

__all__ = ["in_memory", "money", "town"]
pytestmark = pytest.mark.django_db(transaction=True)


def look(page: Page, name: str, *, manual: bool = False) -> None:
    assert_sound(page)
    page.set_viewport_size({"width": 360, "height": 740})
    screenshot(page, f"finance/{name}-360")
    page.set_viewport_size({"width": 1440, "height": 900})
    screenshot(page, f"finance/{name}")
    if manual:
        picture(page, f"finance-{name}")


def bring(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_text("的账单拖到这里").click()
    chooser.value.set_files(file)
    page.get_by_role("button", name="收下账单").click()


def test_a_week_is_reconciled_and_its_breaks_are_signed(page: Page, money: Money, tmp_path: Path) -> None:
    money.town.log_in(page, "finance")
    expect(page.get_by_role("heading", name="资金", level=1)).to_be_visible()
    page.get_by_role("link", name="上周").click()
    look(page, "home-before")
    page.get_by_role("link", name="渠道账单").click()
    page.get_by_role("link", name="上周").click()
    look(page, "statements")

    broken = tmp_path / "wechat.csv"
    broken.write_bytes(money.statement().replace(b"20.00", b"20.0x", 1))
    page.locator("main tbody tr").first.locator("a").nth(1).click()
    bring(page, broken)
    expect(page.get_by_text("已留底，不参与对账")).to_be_visible()
    look(page, "statement-wrong", manual=True)
    sound = tmp_path / "sound.csv"
    rows = [*money.rows()[1:], line("XKNOBODY1", "T-unknown", 1500, money.tuesday)]
    sound.write_bytes(money.statement(rows))
    bring(page, sound)
    expect(page.get_by_text("已收下")).to_be_visible()
    look(page, "statement")

    page.get_by_role("link", name="本周", exact=True).first.click()
    page.get_by_role("link", name="上周").click()
    press(page, "对账")
    expect(page.get_by_text("差错 3 项").first).to_be_visible()
    look(page, "home", manual=True)
    page.get_by_role("link", name="对账差错").click()
    look(page, "breaks", manual=True)
    page.get_by_role("link", name="渠道有、我方无").first.click()
    look(page, "break-unknown")
    press(page, "我来负责")
    page.get_by_role("button", name="说明", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("家长在别的平台缴错，已联系")
    dialog.get_by_role("button", name="说明", exact=True).click()
    expect(page.get_by_text("等另一位财务人员签认")).to_be_visible()
    expect(page.get_by_role("button", name="签认", exact=True)).to_be_disabled()
    page.get_by_role("link", name="对账差错").click()
    page.get_by_role("link", name="我方有、渠道无").first.click()
    look(page, "break", manual=True)
    page.get_by_role("link", name="XK").first.click()
    look(page, "order", manual=True)

    log_out(page)
    money.town.log_in(page, "finance2")
    expect(page.get_by_text("待您签认")).to_be_visible()
    page.get_by_role("link", name="去签认").click()
    page.get_by_role("link", name="渠道有、我方无").first.click()
    press(page, "签认", "签认")
    expect(page.get_by_text("已签认").first).to_be_visible()
    look(page, "break-signed")


def test_orders_refunds_books_and_exports(page: Page, money: Money) -> None:
    money.town.log_in(page, "finance")
    for name, heading in (
        ("缴费订单", "缴费订单"),
        ("退款", "退款"),
        ("渠道通知", "渠道通知"),
        ("财政确认", "财政确认"),
        ("账簿", "账簿"),
        ("收费和渠道", "收费和渠道"),
    ):
        page.get_by_role("navigation").get_by_role("link", name=name).first.click()
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        look(page, f"page-{name}")
    page.goto("/finance/books/entries/")
    look(page, "entries")
    page.goto("/finance/orders/")
    page.locator("main tbody a.xk-open").first.click()
    look(page, "order-code")
    page.get_by_role("link", name="退款", exact=True).last.click()
    page.get_by_label("退款金额").fill("5")
    page.get_by_label("退款原因").fill("少收了手续")
    look(page, "refund-ask")
    press(page, "预览")
    expect(page.get_by_text("国库退付")).to_be_visible()
    look(page, "refund-preview", manual=True)
    press(page, "确认退款")
    expect(page.get_by_text("已申请退款 ¥5.00")).to_be_visible()
    look(page, "refund")
    page.goto("/finance/?week=2026-W47")
    with page.expect_download() as saved:
        page.get_by_role("link", name="导出 XLSX").click()
    assert saved.value.suggested_filename.endswith(".xlsx")

"""A week with breaks goes from its statements to the treasury by two people; and what else they look at."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from tests.journeys.city.test_line import log_out, press
from tests.journeys.finance.conftest import Money, in_memory, money, town
from tests.journeys.support import DESK, PHONE, assert_sound, screenshot
from tests.journeys.town import SYSTEM, clicks, picture
from tests.unit.treasury.conftest import line
from xueka.contexts.closing import api as closing
from xueka.contexts.ledger import api as ledger
from xueka.contexts.treasury.models import ToPost
from xueka.kernel import clock

__all__ = ["in_memory", "money", "town"]
pytestmark = pytest.mark.django_db(transaction=True)
MOST = 5  # clicks of a task from the first page


def look(page: Page, name: str, *, manual: bool = False) -> None:
    assert_sound(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    screenshot(page, f"finance/{name}-360")
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    screenshot(page, f"finance/{name}")
    if manual:
        picture(page, f"finance-{name}")


def bring(page: Page, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with page.expect_file_chooser() as chooser:
        page.get_by_text("的账单拖到这里").click()
    chooser.value.set_files(file)
    page.get_by_role("button", name="收下账单").click()


def answer(page: Page, button: str, words: str = "") -> None:
    dialog = page.get_by_role("dialog")
    if words:
        dialog.get_by_role("textbox").fill(words)
    dialog.get_by_role("button", name=button, exact=True).click()


def test_a_week_with_breaks_is_closed_and_remitted(page: Page, money: Money, tmp_path: Path) -> None:
    money.others()
    money.town.log_in(page, "finance")
    expect(page.get_by_role("heading", name="资金", level=1)).to_be_visible()
    page.get_by_role("link", name="去周结").click()
    expect(page.get_by_text("微信支付缺 1 天的账单")).to_be_visible()
    look(page, "close-open", manual=True)

    page.get_by_role("link", name="去看账单").click()
    page.locator("main tbody tr").first.locator("a").nth(1).click()
    bring(page, tmp_path / "wrong.csv", money.statement().replace(b"20.00", b"20.0x", 1))
    expect(page.get_by_text("已留底，不参与对账")).to_be_visible()
    look(page, "statement-wrong", manual=True)
    rows = [*money.rows()[1:], line("XKNOBODY1", "T-unknown", 1500, money.tuesday)]
    bring(page, tmp_path / "sound.csv", money.statement(rows))
    expect(page.get_by_text("已收下")).to_be_visible()

    page.goto(f"/finance/closes/{closing.name_of(money.monday)}/")
    press(page, "对账")
    expect(page.get_by_text("差错 2 项")).to_be_visible()
    page.goto("/finance/")
    page.get_by_role("link", name="上周").click()
    look(page, "home", manual=True)
    with clicks(page) as counted:
        page.get_by_role("link", name="去说明").click()
        page.get_by_role("link", name="渠道有、我方无").first.click()
        page.get_by_role("button", name="说明", exact=True).click()
        answer(page, "说明", "家长在别的平台缴错，已联系")
        expect(page.get_by_text("等另一位财务人员签认")).to_be_visible()
        assert counted() <= MOST
    expect(page.get_by_role("button", name=re.compile("^签认"))).to_be_disabled()
    page.get_by_role("link", name="对账差错").click()
    page.get_by_role("link", name="我方有、渠道无").first.click()
    look(page, "break", manual=True)
    page.get_by_role("button", name="说明", exact=True).click()
    answer(page, "说明", "渠道少出一行，已去函")

    log_out(page)
    money.town.log_in(page, "finance2")
    page.get_by_role("link", name="去签认").click()
    look(page, "breaks", manual=True)
    page.get_by_role("checkbox", name="选中本页").first.check()
    press(page, "签认")
    expect(page.get_by_role("heading", name="会办理 2 项", exact=True)).to_be_visible()
    press(page, "签认")
    expect(page.get_by_text("已签认 2 项")).to_be_visible()
    page.goto(f"/finance/closes/{closing.name_of(money.monday)}/")
    press(page, "登记票据")
    lacking = page.get_by_role("dialog").get_by_role("textbox").count()
    answer(page, "登记", "财政平台维护，下周补开" if lacking else "")
    expect(page.get_by_text("已登记：")).to_be_visible()
    press(page, "拟制")
    expect(page.get_by_text("等另一位财务人员签署").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^签署"))).to_be_disabled()
    look(page, "close-prepared")

    log_out(page)
    money.town.log_in(page, "finance")
    with clicks(page) as counted:
        page.get_by_role("link", name="去签署").click()
        press(page, "签署", "签署")
        expect(page.get_by_text("已签署").first).to_be_visible()
        assert counted() <= MOST
    look(page, "close-signed", manual=True)
    page.get_by_role("link", name="登记上缴").click()
    press(page, "登记上缴")
    expect(page.get_by_text("请填写一般缴款书号。").first).to_be_visible()
    look(page, "remit")
    page.get_by_label("一般缴款书号").fill("JK2026110001")
    press(page, "登记上缴")
    expect(page.get_by_text("¥120.00 已登记上缴")).to_be_visible()
    page.goto(page.url + "remit/wechat/")  # an old tab
    expect(page.get_by_text("已经登记上缴")).to_be_visible()
    assert ledger.balances(SYSTEM.scope)["treasury"] == 12_000
    assert closing.check_chain(SYSTEM.scope).ok
    page.goto("/finance/orders/")
    page.get_by_role("link", name=money.paid[-1].order.number).click()
    expect(page.get_by_role("main").get_by_text("周结 2026").first).to_be_visible()
    look(page, "order", manual=True)


def test_orders_refunds_books_and_exports(page: Page, money: Money) -> None:
    money.town.log_in(page, "finance")
    for name in (
        "缴费订单", "退款", "退付", "电子票据", "渠道通知", "财政确认", "未入账", "账簿", "收费和渠道",
    ):  # fmt: skip
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        look(page, f"page-{name}", manual=False)
    for nowhere in (
        "closes/9999-W52/", "closes/9999-W52/remit/wechat/", "closes/2026-W4/", "closes/2099-W01/",
        "statements/wechat/trade/9999-12-31/", "breaks/99999999999999999999/", "orders/XKNONE/",
    ):  # fmt: skip
        assert page.request.get(f"/finance/{nowhere}").status == 404, nowhere
    assert page.request.get("/finance/orders/?q=%00").status == 400
    later = clock.now() + timedelta(minutes=9)
    held = ToPost.objects.filter(confirmation__isnull=False).first()
    assert held is not None
    held.post_tries, held.post_after, held.post_problem = 3, later, "这一天已经结账。"
    held.save()
    page.get_by_role("navigation").get_by_role("link", name="未入账").first.click()
    expect(page.get_by_text("这一天已经结账。")).to_be_visible()
    look(page, "postings", manual=True)
    press(page, "现在再试")
    expect(page.get_by_text("几秒内再入账").first).to_be_visible()
    held.refresh_from_db()
    assert held.post_after is not None and held.post_after < later
    ToPost.objects.update(post_tries=0)  # the books of this week stay as they are
    page.reload()
    expect(page.get_by_text("都入账了")).to_be_visible()
    page.goto("/finance/books/entries/")
    look(page, "entries")
    page.goto("/finance/receipts/draw/")
    look(page, "draw")
    page.goto("/finance/books/fees/")
    page.get_by_label("金额（元）").fill("1")
    page.get_by_label("银行回单号").fill("HD-1")
    press(page, "登记")
    expect(page.get_by_text("补足的手续费不对").first).to_be_visible()
    look(page, "fees")
    page.goto("/finance/")
    with clicks(page) as counted:
        page.get_by_role("link", name="缴费订单").first.click()
        page.locator("main tbody a.xk-open").first.click()
        page.get_by_role("main").get_by_role("link", name="退款", exact=True).click()
        page.get_by_label("退款金额").fill("5")
        page.get_by_label("退款原因").fill("收费标准改了")
        press(page, "预览")
        expect(page.get_by_text("国库退付")).to_be_visible()
        press(page, "确认退款")
        expect(page.get_by_text("已申请退款 ¥5.00")).to_be_visible()
        assert counted() <= MOST
    look(page, "refund")
    page.go_back()
    page.go_back()
    page.get_by_label("退款金额").fill("500")
    page.get_by_label("退款原因").fill("写错")
    press(page, "预览")
    expect(page.get_by_text("退款合计会超过实收").first).to_be_visible()
    look(page, "refund-wrong")
    page.get_by_label("退款金额").fill("1")
    press(page, "预览")
    look(page, "refund-preview", manual=True)
    page.goto(f"/finance/?week={closing.name_of(money.monday)}")
    with page.expect_download() as saved:
        page.get_by_role("link", name="导出 XLSX").click()
    book = CalamineWorkbook.from_path(saved.value.path())
    sums = {(row[0], row[1]): row[2] for row in book.get_sheet_by_name("控制数").to_python() if len(row) > 2}
    assert (sums["收款", "行数"], sums["收款", "实收（分）"], sums["四方", "订单（分）"]) == (
        8,
        16_000,
        14_000,
    )
    assert sums["科目", "借方（分）"] == sums["科目", "贷方（分）"] == 20_000

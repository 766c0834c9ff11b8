"""Ranges closed and opened, a number's fate, blanks set aside, the schedule with its signed hand-overs."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.city.conftest import press
from tests.journeys.support import assert_sound
from tests.journeys.town import SYSTEM, Town, picture
from xueka.contexts.interop import api as interop
from xueka.contexts.numbers import api as numbers
from xueka.kernel import clock
from xueka.platform.exchange.applying import Message


@transaction.atomic
def a_lot(number: str = "L2026-1", count: int = 6) -> None:
    rows = [f"{place},{place:08X},10009900{place:08d}" for place in range(1, count + 1)]
    content = "\r\n".join(["序号,芯片UID,一卡通号", *rows]).encode()
    assert not numbers.import_blank_lot(SYSTEM, content, number, "一卡通公司", "赵交").errors


def test_a_range_is_closed_and_opened_and_a_number_is_found(page: Page, people: Town) -> None:
    [card] = people.in_hand(people.students()[:1])
    people.log_in(page, "operator")
    page.goto("/city/numbers/")
    page.get_by_role("link", name="1000750000000001").click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    assert_sound(page)
    picture(page, "city-range")
    page.get_by_role("button", name="停用", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("换用新号段").click()
    dialog.get_by_role("button", name="停用").click()
    expect(page.get_by_text("号段已停用，不再发号")).to_be_visible()
    page.get_by_role("button", name="恢复使用", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("新号段未到")
    dialog.get_by_role("button", name="恢复").click()
    expect(page.get_by_text("号段已恢复")).to_be_visible()

    page.goto("/city/numbers/fate/")
    page.get_by_label("号码", exact=True).fill(card.transit_number)
    page.get_by_role("button", name="查去向").click()
    expect(page.locator("main tbody")).to_contain_text(card.number)
    assert_sound(page)
    page.get_by_label("号码", exact=True).fill("1")
    page.get_by_role("button", name="查去向").click()
    expect(page.get_by_text("没有发出过这个号码")).to_be_visible()


def test_numbers_are_asked_for_and_a_blocked_card_says_so(
    page: Page, people: Town, tmp_path: Path, settings: Any
) -> None:
    settings.EXCHANGE_PARTNERS = tmp_path
    (tmp_path / "beijing-tong").mkdir()
    (tmp_path / "beijing-tong" / "partner.json").write_text("{}")
    [card] = people.in_hand(people.students()[:1])
    people.log_in(page, "operator")
    page.goto("/city/numbers/")
    page.get_by_role("link", name="向北京通申请号码").click()
    page.get_by_label("数量").fill("0")
    page.get_by_role("button", name="发出申请").click()
    assert_sound(page)
    page.get_by_label("数量").fill("50000")
    page.get_by_label("用途").fill("秋季新生")
    page.get_by_role("button", name="发出申请").click()
    asked = page.get_by_role("row").filter(has_text="秋季新生")
    expect(asked).to_contain_text("已申请，待答复")
    number = asked.locator(".xk-code").inner_text()
    range_ = {"request": number, "prefix": "BJT70000", "width": 8, "first": 1, "last": 50_000}
    with transaction.atomic():
        interop.numbers_granted(SYSTEM, told(f"range:{number}", range_ | {"document": "市民卡〔2026〕31号"}))
        bears = {
            "card": card.number,
            "beijing_tong_number": card.beijing_tong_number,
            "reason": "本人申请暂停",
        }
        interop.application_blocked(SYSTEM, told(f"card:{card.number}", bears))
    page.reload()
    expect(page.get_by_role("row").filter(has_text="秋季新生")).to_contain_text("已拨给")
    assert_sound(page)
    page.goto(f"/cards/{card.number}/")
    expect(page.get_by_text("本人申请暂停")).to_be_visible()
    assert_sound(page)


def told(key: str, data: dict[str, Any]) -> Message:
    return Message("beijing-tong", "msg_1", "", key, 1, None, data)


def test_blanks_are_set_aside_by_list_and_by_scanner_and_returned_on_paper(page: Page, people: Town) -> None:
    a_lot()
    people.log_in(page, "operator")
    page.goto("/city/numbers/")
    page.get_by_role("link", name="L2026-1").click()
    page.get_by_label("选中第 1 张").check()
    page.get_by_role("button", name="登记报废").click()
    page.get_by_label("报废的原因").fill("芯片不读")
    assert_sound(page)
    page.get_by_role("button", name="登记报废 1 张").click()
    expect(page.get_by_text("已报废 1 张")).to_be_visible()
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_text("1 张空白卡恢复入库")).to_be_visible()

    page.get_by_role("link", name="扫描登记报废").click()
    page.get_by_label("报废的原因").fill("划伤")
    page.get_by_role("button", name="开始扫描").click()
    for code, said in (("00000003", "第 3 张已报废"), ("999", "不是这批的空白卡"), ("3", "没有改动")):
        page.get_by_label("扫描芯片号").fill(code)
        page.keyboard.press("Enter")
        expect(page.locator(".xk-scan-said")).to_contain_text(said)
    assert_sound(page)

    page.get_by_role("link", name="扫完了").click()
    page.get_by_label("选中第 5 张").check()
    page.get_by_label("选中第 6 张").check()
    page.get_by_role("button", name="退回供应方").click()
    for label, text in (
        ("交出人", "王芳"),
        ("接收人", "赵交"),
        ("交接单据", "退 2026-1"),
        ("退回的原因", "多发"),
    ):
        page.get_by_label(label).fill(text)
    assert_sound(page)
    page.get_by_role("button", name="退回供应方 2 张").click()
    expect(page.locator(".xk-sheet")).to_contain_text("序号 5、6")
    assert_sound(page)
    page.goto("/city/numbers/lots/L2026-1/")
    picture(page, "city-lot")
    [stock] = numbers.stock(SYSTEM.scope)
    assert (stock.in_stock, stock.spoiled, stock.returned) == (3, 1, 2)


def test_blanks_go_to_the_company_by_schedule_and_come_back(page: Page, people: Town) -> None:
    people.log_in(page, "operator")
    page.goto("/city/schedule/")
    assert_sound(page)
    page.get_by_role("link", name="新排产").first.click()
    page.get_by_label("张数").fill("500")
    page.get_by_label("送出日期").fill(f"{clock.today():%Y-%m-%d}")
    page.get_by_label("应收回日期").fill(f"{clock.today() + timedelta(days=9):%Y-%m-%d}")
    assert_sound(page)
    page.get_by_role("button", name="登记排产").click()
    page.get_by_role("link", name="送出", exact=True).click()
    for label, text in (("交出人", "王芳"), ("接收人", "王芳"), ("交接单据", "交 2026-1")):
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="登记送出").click()
    expect(page.locator(".xk-problem")).to_contain_text("不能是同一个人")
    page.get_by_label("接收人").fill("赵接")
    page.get_by_role("button", name="登记送出").click()
    expect(page.locator(".xk-sheet")).to_contain_text("500")
    assert_sound(page)
    picture(page, "city-hand-over")
    page.locator(".xk-sheet").get_by_role("link", name="PC").click()
    page.get_by_role("link", name="收回", exact=True).click()
    page.get_by_label("张数").fill("490")
    page.get_by_label("其中不合格另计").fill("4")
    for label, text in (("交出人", "赵接"), ("接收人", "王芳"), ("交接单据", "交 2026-2")):
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="登记收回").click()
    page.get_by_role("link", name="更正", exact=True).click()
    page.get_by_label("张数").fill("492")
    page.get_by_label("更正的理由").fill("清点有误")
    page.get_by_role("button", name="登记更正").click()
    expect(page.get_by_text("已由").first).to_be_visible()
    page.locator(".xk-sheet").get_by_role("link", name="PC").click()
    assert_sound(page)
    picture(page, "city-schedule-order")
    press(page, "短少结单")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("对方确认遗失 4 张")
    dialog.get_by_role("button", name="短少结单").click()
    expect(page.get_by_text("已短少结单")).to_be_visible()
    page.goto("/city/schedule/hand-overs/")
    expect(page.locator("main tbody tr")).to_have_count(3)
    assert_sound(page)
    [order] = numbers.order_rows(SYSTEM.scope)
    view = numbers.order(SYSTEM.scope, order.number)
    assert (view.sent, view.good, view.rejected, view.order.state) == (500, 492, 4, "short")

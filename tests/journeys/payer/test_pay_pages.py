"""The counterparts' pages on a phone of 360 px: pay, go back and press again, cancel, pay what was closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.support import PHONE, ROOT, axe
from tests.support.collector import CODE, finance
from tests.support.merchant import channels

NUMBER = "XK20261125000001"
PICTURES = ROOT / "build" / "screenshots" / "payer"


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(
        locale="zh-CN", viewport={"width": PHONE[0], "height": PHONE[1]}, bypass_csp=True
    )
    yield context.new_page()
    context.close()


def _sound(page: Page, name: str) -> None:
    """axe finds nothing in light and dark, nothing sticks out; a picture of each."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == [], f"{name} in {scheme}"
        page.screenshot(path=PICTURES / f"{name}-{scheme}.png", full_page=True)
    out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert out == 0


def test_wechat_paid_once_however_often_the_button_is_pressed(phone, tmp_path: Path):
    with channels(tmp_path) as merchant:
        prepay = merchant.prepay(NUMBER).json()["prepay_id"]
        back = f"{merchant.card['base']}/style.css"  # stands for the merchant's page
        phone.goto(merchant.cashier(prepay, back))
        _sound(phone, "wechat-pay")
        phone.get_by_role("button", name="确认支付").click()
        expect(phone.get_by_role("status")).to_have_text("支付成功")
        _sound(phone, "wechat-paid")
        expect(phone.get_by_role("link", name="返回商家")).to_have_attribute("href", back)
        phone.go_back()
        again = phone.get_by_role("button", name="确认支付")
        if again.count():  # from the browser's memory
            again.click()
        expect(phone.get_by_role("status")).to_contain_text("已支付")
        (order,) = merchant.sim("GET", "orders?channel=wechat")
        assert order["charges"] == 1


def test_alipay_cancelled_closed_and_charged_all_the_same(phone, tmp_path: Path):
    with channels(tmp_path) as merchant:
        phone.goto(f"{merchant.card['base']}{merchant.wap(NUMBER).headers['location']}")
        phone.get_by_role("button", name="取消").click()
        expect(phone.get_by_role("status")).to_have_text("已取消，没有扣款")
        phone.get_by_role("link", name="重新支付").click()
        merchant.alipay("alipay.trade.close", {"out_trade_no": NUMBER})
        phone.get_by_role("button", name="确认支付").click()
        expect(phone.get_by_role("status")).to_have_text("订单已关闭，没有扣款")
        _sound(phone, "alipay-closed")
        phone.get_by_text("演示：让渠道出错").click()
        _sound(phone, "alipay-troubles")
        phone.get_by_role("button", name="关闭后仍扣款").click()
        expect(phone.get_by_role("status")).to_have_text("订单关闭后仍扣了款（演示）")
        (order,) = merchant.sim("GET", "orders?channel=alipay")
        assert (order["state"], order["charges"]) == ("paid", 1)


def test_a_payment_code_at_the_finance_office(phone, tmp_path: Path):
    with finance(tmp_path) as collector:
        address = collector.ask("8994", collector.notice())[0]["Information"]
        phone.goto(address)
        _sound(phone, "nontax-pay")
        phone.get_by_label("支付宝").check()
        phone.get_by_role("button", name="确认缴款").click()
        expect(phone.get_by_role("status")).to_have_text("缴款成功")
        _sound(phone, "nontax-paid")
        (paid,) = collector.ask("8997", {"AdmDivCode": "110000", "PayCode": CODE})
        assert paid["PayMode"] == "05"

"""A parent pays on a phone of 360 px, at the simulators of WeChat Pay, Alipay and the finance office: once,
twice, too late; and what becomes of the money and of its receipt stands on her page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.parent.test_parent import MOBILE, look, phone, sign_in
from tests.journeys.town import SYSTEM, Town, town
from tests.support.channels_process import Finance, Simulator, finance_running, running
from tests.support.families import with_guardian
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.models import Payment, Refund
from xueka.contexts.receipts import api as receipts
from xueka.contexts.receipts.models import Receipt
from xueka.contexts.replacements import jobs
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

__all__ = ["phone", "town"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, Finance]]:
    with (
        running(tmp_path_factory.mktemp("channels")) as channels,
        finance_running(tmp_path_factory.mktemp("finance")) as office,
    ):
        channels.dial(refund_seconds=0)
        yield channels, office


@dataclass
class World:
    """The family's phone, and everything that happens while it lies on the table."""

    page: Page
    channels: Simulator
    office: Finance

    def lose_and_replace(self, education_id: str) -> None:
        """From the sign-in to the choice of how to pay."""
        page = self.page
        sign_in(page, education_id)
        page.get_by_role("link", name="挂失").click()
        page.get_by_role("button", name="确认挂失").click()
        page.get_by_role("link", name="补卡换卡").click()
        page.get_by_role("button", name="下一步：送到哪里").click()
        page.get_by_role("button", name="下一步").click()
        page.get_by_role("button", name="提交并缴费 ¥20.00").click()

    def open_way(self, label: str) -> None:
        """The channel's own page."""
        self.page.get_by_label(label).check()
        self.page.get_by_role("button", name="去缴费").click()
        self.page.get_by_role("link", name=f"打开{label}").click()

    def time_passes(self, rounds: int = 1) -> None:
        """Notices arrive, sweeps run, what is due later is due now."""
        for _ in range(rounds):
            while self.channels.deliver() or self.office.deliver():  # duplicates come one after the other
                pass
            for model in (Payment, Refund, Receipt):
                waiting = model.objects.exclude(next_try_at=None)
                waiting.update(next_try_at=clock.now() - timedelta(seconds=1))
            payments.sweep()
            receipts.sweep()
            jobs.follow()

    def see(self, *words: str) -> None:
        self.page.reload()
        for each in words:
            expect(self.page.get_by_text(each).first).to_be_visible()


@pytest.fixture
def world(
    phone: Page, town: Town, houses: tuple[Simulator, Finance], settings, site: str
) -> Iterator[tuple[World, str]]:
    channels, office = houses
    settings.CHANNEL_PARTNER = channels.folder / "partner.json"
    settings.FINANCE_PARTNER = office.folder / "partner.json"
    channels.forget_notices()
    payments.introduce(SYSTEM, site)
    child = town.students()[0]
    town.in_hand([child])
    with_guardian(child.id, MOBILE, born="2010-03-02")
    yield World(phone, channels, office), child.education_id


def test_paid_by_wechat_the_receipt_is_there_and_a_refund_reverses_it(
    world: tuple[World, str], tmp_path: Path
) -> None:
    at, child = world
    page = at.page
    at.lose_and_replace(child)
    progress = page.url.removesuffix("pay/")
    at.open_way("微信支付")
    page.get_by_role("button", name="确认支付").click()
    expect(page.get_by_role("status")).to_have_text("支付成功")
    page.get_by_role("link", name="返回商家").click()
    expect(page).to_have_url(progress)
    at.time_passes(2)
    at.see("已受理", "承诺", "电子票据")
    for name, begins in (("票号", b"%PDF"), ("原件（XML）", b"<?xml")):
        with page.expect_download() as coming:
            page.get_by_role("link", name=name).click()
        assert Path(coming.value.path()).read_bytes().startswith(begins), name
    look(page, "paid")
    number = re.search(r"\d{10}", page.get_by_role("link", name="票号").inner_text())[0]
    page.get_by_role("link", name="财政查验").click()
    expect(page.get_by_text("验真通过")).to_be_visible()
    page.goto(progress)

    page.get_by_role("link", name="取消办理").click()
    page.get_by_role("button", name="确认取消").click()
    at.time_passes(4)
    at.see("已退款", "退款成功", "原路退回", "红字票据")
    look(page, "reversed")
    red = Receipt.objects.get(refund__isnull=False)
    assert (red.blue.number, red.amount_fen, red.state) == (number, -2000, "kept")
    assert receipts.verify(EVERYWHERE, red.id).good
    shown = {each["number"]: each["fen"] for each in at.office.get("receipts")}
    assert (shown[number], shown[red.number]) == (2000, -2000)


def test_paid_by_payment_code_and_back_to_the_order(world: tuple[World, str]) -> None:
    """Money that the treasury has at once; its receipt bears the same code."""
    at, child = world
    page = at.page
    at.lose_and_replace(child)
    progress = page.url.removesuffix("pay/")
    page.get_by_label("非税缴款码").check()
    page.get_by_role("button", name="去缴费").click()
    code = page.locator(".xk-pay-code").inner_text()
    look(page, "code")
    page.get_by_role("link", name="打开财政缴款页").click()
    page.get_by_role("button", name="确认缴款").click()
    page.get_by_role("link", name="返回").click()
    expect(page).to_have_url(progress)
    at.time_passes(2)
    at.see("已受理", "电子票据", "票号")
    receipt = Receipt.objects.get()
    assert (receipt.pay_code, receipt.state) == (code, "kept")


def test_paid_twice_by_going_back_the_second_goes_back_by_itself(world: tuple[World, str]) -> None:
    at, child = world
    page = at.page
    at.lose_and_replace(child)
    progress = page.url.removesuffix("pay/")
    at.open_way("微信支付")
    page.get_by_role("button", name="确认支付").click()
    expect(page.get_by_role("status")).to_have_text("支付成功")
    page.goto(f"{progress}pay/")  # she goes back before we have heard of it, and pays another way
    at.open_way("支付宝")
    page.get_by_role("button", name="确认支付").click()
    page.get_by_role("link", name="返回商家").click()
    expect(page).to_have_url(re.compile(re.escape(progress)))
    at.time_passes(4)
    at.see("已受理", "重复缴费", "退款成功", "电子票据")
    look(page, "twice")
    [double] = Payment.objects.exclude(stray="")
    assert (double.stray, double.stray_fen) == ("double", 2000)
    assert Refund.objects.get().state == "succeeded"
    assert Receipt.objects.count() == 1, "money that is nobody's order has no receipt"


def test_paid_after_the_order_was_closed_it_goes_back_by_itself(world: tuple[World, str]) -> None:
    at, child = world
    page = at.page
    at.lose_and_replace(child)
    progress = page.url.removesuffix("pay/")
    at.open_way("微信支付")
    other = page.context.new_page()
    other.goto(f"{progress}cancel/")
    other.get_by_role("button", name="确认取消").click()
    expect(other.get_by_text("已取消").first).to_be_visible()
    at.time_passes()
    page.get_by_role("button", name="确认支付").click()
    expect(page.get_by_role("status")).to_have_text("订单已关闭，没有扣款")
    page.get_by_text("演示：让渠道出错").click()
    page.get_by_role("button", name="关闭后仍扣款").click()
    page.goto(progress)
    at.time_passes(4)
    at.see("已取消", "订单关闭后到账", "退款成功", "¥20.00")
    look(page, "late")
    assert Receipt.objects.count() == 0

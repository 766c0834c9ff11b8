"""A parent comes by Jingtong at 360 px: signs on, refuses once, pays inside the container, looks around, and
follows a parcel.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect
from pytest_django import Settings

from tests.journeys.counter.test_posting import ready_to_post
from tests.journeys.parent.test_parent import MOBILE, look, phone
from tests.journeys.parent.test_paying import World, houses, world
from tests.journeys.support import DESK, assert_sound
from tests.journeys.town import SYSTEM, Town, picture, town
from tests.support.channels_process import Jingtong, TransitCompany, jingtong_running, transit_running
from tests.support.couriers import couriers_beside, sweep
from xueka.contexts.cards import api as cards
from xueka.contexts.couriers import api as couriers
from xueka.contexts.families import api as families
from xueka.contexts.families.adapters import jingtong as adapter
from xueka.contexts.registry import api as registry
from xueka.contexts.transit.models import Validity
from xueka.contexts.transit.services import validity
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

__all__ = ["houses", "phone", "town", "world"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def jingtong(
    town: Town, site: str, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jingtong]:
    with jingtong_running(tmp_path_factory.mktemp("jingtong")) as simulator:
        settings.JINGTONG_PARTNER = simulator.folder / "partner.json"
        adapter._known.clear()
        families.introduce(SYSTEM, site)
        yield simulator


@pytest.fixture
def company(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransitCompany]:
    home = tmp_path_factory.mktemp("exchange")
    settings.EXCHANGE_PARTNERS = home
    with transit_running(home / "transit") as simulator:
        yield simulator


def the_agent_looks_it_up(page: Page, town: Town, number: str) -> None:
    """A parent has called: the operator finds the card and asks the company."""
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    town.log_in(page, "operator")
    page.get_by_role("link", name="公交有效期").click()
    page.get_by_label("卡号、一卡通号、教育ID或姓名").fill(number)
    page.get_by_role("button", name="查找").click()
    page.get_by_role("button", name=f"现查 {number}").click()
    expect(page.get_by_role("cell", name="2099年8月31日")).to_be_visible()
    assert_sound(page)
    picture(page, "city-transit-validity")


def sign_on(page: Page) -> None:
    page.get_by_label("手机号").fill(MOBILE)
    page.get_by_role("button", name="以这位市民进入").click()


def test_signs_on_pays_in_the_container_and_sees_the_ways(
    world: tuple[World, str],
    jingtong: Jingtong,
    company: TransitCompany,
    town: Town,
    page: Page,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at, child = world
    page, container = at.page, jingtong.card["home"]

    page.goto("/parent/")
    page.get_by_role("link", name="用京通登录").click()
    sign_on(page)
    page.get_by_role("button", name="不同意").click()
    expect(page.get_by_text("您没有同意授权")).to_be_visible()
    look(page, "jingtong-refused")
    page.get_by_role("link", name="再用京通登录").click()
    page.get_by_role("button", name="同意", exact=True).click()
    expect(page.get_by_role("heading", name=registry.student(EVERYWHERE, child).name)).to_be_visible()
    expect(page.get_by_role("link", name="返回京通")).to_have_attribute("href", container)

    page.goto(container)
    page.get_by_role("link", name="学生卡挂失").click()
    page.get_by_role("button", name="确认挂失").click()
    page.get_by_role("link", name="补卡换卡").click()
    page.get_by_role("button", name="下一步：送到哪里").click()
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="提交并缴费 ¥20.00").click()
    expect(page.get_by_label("支付宝")).to_have_count(0)
    at.open_way("微信支付")
    page.get_by_role("link", name="取消").click()  # back on the progress, nothing paid
    expect(page.get_by_text("待缴费").first).to_be_visible()

    page.goto(container)
    page.get_by_role("link", name="学生卡缴费").click()
    at.open_way("微信支付")
    page.get_by_role("link", name="微信支付").click()
    page.get_by_role("button", name="确认支付").click()
    page.get_by_role("link", name="返回商家").click()
    at.time_passes(2)
    at.see("已受理", "电子票据")
    assert at.channels.get("orders")[0]["payer"].startswith("o")

    page.goto(container)
    page.get_by_role("link", name="公交有效期").click()
    expect(page.get_by_role("heading", name="公交")).to_be_visible()
    expect(page.get_by_text("还没有数据")).to_be_visible()
    card = cards.card_rows(EVERYWHERE).filter(student__education_id=child).latest("id")
    company.fare(card.number, card.transit_number, "2099-08-31")
    page.get_by_role("button", name="现在向一卡通公司查询").click()
    expect(page.get_by_text("2099年8月31日")).to_be_visible()
    expect(page.get_by_text("有效", exact=True)).to_be_visible()
    look(page, "transit-validity")
    company.dial(drop=1)
    Validity.objects.update(heard_at=clock.now() - timedelta(days=3))
    monkeypatch.setattr(validity, "FRESH", timedelta(0))  # a minute later
    page.get_by_role("button", name="现在向一卡通公司查询").click()
    expect(page.get_by_text("没有及时答复")).to_be_visible()
    expect(page.get_by_text("可能已有变化")).to_be_visible()
    expect(page.get_by_text("2099年8月31日")).to_be_visible()
    company.dial(drop=0)
    page.goto(container)
    page.get_by_role("link", name="卡到哪了").click()
    expect(page.get_by_text("已受理").first).to_be_visible()
    assert_sound(page)
    the_agent_looks_it_up(page, town, card.number)


def test_follows_her_parcel_step_by_step(
    phone: Page, town: Town, jingtong: Jingtong, tmp_path: Path, settings: Settings
) -> None:
    child, page = town.students()[0], phone
    made, _ = ready_to_post(town, child)
    with couriers_beside(tmp_path / "couriers", settings, None) as desk:
        desk.ahead(-24 * 60)  # what couriers tell of has been
        with transaction.atomic():
            shipment = couriers.ask_home(SYSTEM, made.number)
        assert couriers.call(shipment.id) == "ordered"
        with transaction.atomic():
            couriers.hand_over(SYSTEM, shipment.id)

        page.goto("/parent/")
        page.get_by_role("link", name="用京通登录").click()
        sign_on(page)
        page.get_by_role("button", name="同意", exact=True).click()
        expect(page.get_by_role("heading", name=child.name)).to_be_visible()
        page.goto(jingtong.card["home"])
        page.get_by_role("link", name="卡到哪了").click()
        waybill = shipment.waybills.get().number
        expect(page.get_by_text(waybill).first).to_be_visible()
        steps = page.get_by_role("region", name="快递轨迹")
        expect(steps.get_by_text("已签收")).to_have_count(0)

        for minutes, word in ((60, "已揽收"), (300, "派送中")):
            desk.ahead(minutes)
            desk.push()
            sweep()
            page.goto(jingtong.card["home"])
            page.get_by_role("link", name="卡到哪了").click()
            expect(steps.get_by_text(word).first).to_be_visible()
            assert_sound(page)
        picture(page, "jingtong-parcel")
        expect(steps.get_by_text("已揽收").first).to_be_visible()

        desk.ahead(200)
        desk.push()
        sweep()
        made.refresh_from_db()
        assert made.state == "handed_out"
        page.goto(jingtong.card["home"])
        page.get_by_role("link", name="卡到哪了").click()
        for word in ("已揽收", "派送中", "已签收"):
            expect(steps.get_by_text(word).first).to_be_visible()
        assert_sound(page)

"""A family follows its parcel; a lost one turns into a card that is made again; the operator sees both."""

import json
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import transaction
from playwright.sync_api import Page, expect

from tests.journeys.counter.test_posting import ready_to_post
from tests.journeys.parent.test_parent import sign_in
from tests.journeys.support import assert_sound
from tests.journeys.town import Town, add_user, picture
from tests.support.couriers import Desk, couriers_beside, sweep
from xueka.contexts.couriers import api as couriers
from xueka.contexts.couriers import jobs
from xueka.kernel import clock
from xueka.platform.identity.scope import EVERYWHERE

pytestmark = pytest.mark.django_db(transaction=True)


def later(desk: Desk, minutes: int) -> None:
    """The couriers' clock goes on; ours stands still, so that nobody is logged out."""
    desk.ahead(minutes)
    desk.push()
    sweep()


def test_a_family_follows_its_parcel_and_a_lost_one_is_made_again(
    page: Page, town: Town, tmp_path: Path, settings: LazySettings
) -> None:
    child = town.students()[0]
    made, _ = ready_to_post(town, child)
    town.passwords["counter"] = add_user("counter", "秦朗", "counter_operator", town.schools["first"])
    with couriers_beside(tmp_path / "couriers", settings, None) as desk:
        desk.ahead(-24 * 60)  # what couriers tell of has been
        town.log_in(page, "counter")
        page.goto("/counter/post/")
        page.get_by_role("link", name="本区收寄地址").click()
        assert_sound(page)
        page.get_by_role("link", name="东城区").click()
        page.get_by_role("button", name="登记").click()
        expect(page.get_by_text("请填写地址").first).to_be_visible()
        assert_sound(page)
        for label, text in (("地址", "东城区某街 9 号"), ("联系人", "钱老师"), ("电话", "010-64000001")):
            page.get_by_label(label, exact=True).fill(text)
        page.get_by_role("button", name="登记").click()
        expect(page.get_by_role("cell", name="东城区某街 9 号")).to_be_visible()
        assert_sound(page)
        picture(page, "counter-place")
        page.goto(f"/counter/post/{made.number}/")
        page.get_by_role("button", name="向顺丰取运单").click()
        expect(page.get_by_text("顺丰速运已给运单")).to_be_visible()
        [message] = desk.house.store.all("select message from ordered")
        assert json.loads(message["message"])["contactInfoList"][0]["address"] == "东城区某街 9 号"
        assert_sound(page)
        picture(page, "counter-waybill")
        with page.expect_download() as label:
            page.get_by_role("button", name="打印面单").click()
        [shipment] = couriers.rows(EVERYWHERE)
        assert label.value.suggested_filename == f"{shipment.number}.pdf"
        page.get_by_role("button", name="交给快递").click()
        expect(page.get_by_text("已交给顺丰速运")).to_be_visible()
        desk.fate(shipment.waybills.get().number, "lost")
        later(desk, 300)

        page.context.clear_cookies()
        sign_in(page, child.education_id)
        page.goto(f"/parent/replacements/{made.number}/")
        expect(page.get_by_role("region", name="快递轨迹")).to_contain_text("已揽收")
        assert_sound(page)
        picture(page, "parent-parcel")

        with transaction.atomic():
            couriers.Shipment.objects.update(expected_on=clock.today().replace(year=2025))
        jobs.watch()
        page.context.clear_cookies()
        town.log_in(page, "operator")
        page.get_by_role("link", name="问题运件").first.click()
        expect(page.get_by_role("table").get_by_text("超过预计日期").first).to_be_visible()
        assert_sound(page)
        picture(page, "city-parcel-problems")
        page.get_by_role("link", name=shipment.number).click()
        assert_sound(page)
        page.get_by_role("button", name="登记丢失").click()
        page.get_by_label("承运商怎么说").fill("中转时遗失，确认找不到")
        page.get_by_role("dialog").get_by_role("button", name="登记丢失").click()
        expect(page.get_by_text("已登记丢失，里面的卡已作废")).to_be_visible()
        expect(page.get_by_role("button", name="找到了，拦截退回")).to_be_visible()
        assert_sound(page)
        page.goto("/city/parcels/")
        expect(page.get_by_role("link", name=shipment.number)).to_be_visible()
        assert_sound(page)
        page.get_by_role("link", name="承运商评分").click()
        expect(page.get_by_role("cell", name="顺丰速运")).to_be_visible()
        assert_sound(page)
        made.refresh_from_db()
        assert made.state == "making"

"""The operator's pages of parcels, and what a click on them does."""

import pytest
from django.test import Client

from tests.journeys.town import SYSTEM
from tests.support.couriers import Desk
from tests.unit.common.test_probes import client_of
from tests.unit.couriers.conftest import asked, ordered, ready_to_post, state
from tests.unit.replacements.conftest import Families
from xueka.contexts.couriers import jobs
from xueka.platform.identity import services

pytestmark = pytest.mark.django_db(transaction=True)


def seen(client: Client, address: str) -> str:
    page = client.get(address)
    assert page.status_code == 200, (address, page.status_code)
    return page.content.decode()


def test_the_operator_sees_a_late_parcel_says_that_it_is_lost_and_calls_it_back(
    family: Families, desk: Desk
) -> None:
    user, _ = services.create_user(SYSTEM, "anning", "安宁", "city_operator")
    user.must_change_password = False
    user.save()
    made, _ = ready_to_post(family)
    shipment = ordered(made)
    client = client_of("anning")
    page = f"/city/parcels/{shipment.number}/"
    assert "待揽收" in seen(client, page) and "交给快递" not in seen(client, page)
    assert client.post(f"{page}label/").content.startswith(b"%PDF")
    desk.fate(shipment.waybills.get().number, "lost")
    asked(desk, 60 * 24 * 4)
    jobs.watch()
    client = client_of("anning")  # four days later
    waiting = seen(client, "/city/parcels/problems/")
    waybill = shipment.waybills.get().number
    for word in ("超过预计日期", f"运单 {waybill}", "应到 ", "最近 ", "顺丰速运"):
        assert word in waiting, word
    assert "已处理" in seen(client, page)
    assert "已揽收" in seen(client, page)
    assert client.post(f"{page}lose/", {"note": ""}).status_code == 400
    assert client.post(f"{page}lose/", {"note": "确认遗失"}).status_code == 302
    assert state(made) == "making" and "找到了，拦截退回" in seen(client, page)
    assert client.post(f"{page}intercept/", {"note": "在集散中心"}).status_code == 302
    assert shipment.number in seen(client, f"/city/parcels/?q={shipment.waybills.get().number}")
    assert "顺丰速运" in seen(client, "/city/parcels/scorecard/?month=2026-09")
    assert "顺丰速运" not in seen(client, "/city/parcels/scorecard/?month=2026-08")
    problem = shipment.problems.filter(closed_at=None).get()
    assert client.post(f"/city/parcels/problems/{problem.id}/", {"note": "已重制"}).status_code == 302
    assert "没有问题运件" in seen(client, "/city/parcels/problems/")
    assert client.get("/city/parcels/YJ2699999999/").status_code == 404

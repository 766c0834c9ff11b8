"""A district's counter: each keeps its own, couriers fetch there what goes home, families read of it."""

import io
import json

import pypdf
import pytest
from django.db import transaction

from tests.support.couriers import Desk
from tests.unit.common.test_probes import client_of
from tests.unit.couriers.conftest import COUNTER, OPERATOR, ordered, ready_to_post
from tests.unit.couriers.test_home import refused
from tests.unit.couriers.test_school import packed, sent
from tests.unit.replacements.conftest import Families
from xueka.contexts.couriers import api as couriers
from xueka.contexts.logistics import api as logistics
from xueka.entrypoints.portals.parent import replacing
from xueka.platform.identity import services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

pytestmark = pytest.mark.django_db(transaction=True)
WHERE = {
    "address": "东城区某街 9 号",
    "consignee": "钱老师",
    "phone": "010-64000001",
    "hours": "工作日 9:00-17:00",
}


def test_what_goes_home_is_fetched_at_the_districts_counter(family: Families, desk: Desk) -> None:
    made, _ = ready_to_post(family)
    assert replacing._counter(made) == f"{made.student.school.district.name}卡管部门柜台"
    with transaction.atomic():
        logistics.keep_place(COUNTER, "110101", **WHERE)
    shipment = ordered(made)
    boxes = sent(desk, packed(family.city, capacity=9))
    told = {
        row["order_id"]: json.loads(row["message"])["contactInfoList"][0]
        for row in desk.house.store.all("select order_id, message from ordered")
    }
    home, school = told[shipment.number], told[boxes.number]
    assert (home["contact"], home["mobile"], home["address"]) == ("钱老师", "010-64000001", "东城区某街 9 号")
    assert school["contact"] != "钱老师" and school["address"] != "东城区某街 9 号"
    label = pypdf.PdfReader(io.BytesIO(couriers.labels(COUNTER, shipment.id))).pages[0].extract_text()
    assert "东城区某街9号" in "".join(label.split())
    words = replacing._counter(made)
    for word in ("东城区某街 9 号", "010-64000001", "工作日 9:00-17:00"):
        assert word in words


def test_each_keeps_its_own(family: Families) -> None:
    officer = family.city.officer
    stranger = Actor.in_role("c2", "别区", "counter_operator", Scope("district", "110102"))
    refused("DISTRICT_NOT_FOUND", lambda: logistics.keep_place(stranger, "110101", **WHERE))
    refused("PERMISSION_DENIED", lambda: logistics.keep_place(officer, "110101", **WHERE))
    refused("PLACE_INCOMPLETE", lambda: logistics.keep_place(COUNTER, "110101", **{**WHERE, "address": " "}))
    refused("PHONE_INVALID", lambda: logistics.keep_place(COUNTER, "110101", **{**WHERE, "phone": "打电话"}))
    assert logistics.place("110101") is None
    assert {each.code for each, _ in logistics.places(COUNTER.scope)} == {"110101"}
    assert {"110101", "110102"} <= {each.code for each, _ in logistics.places(OPERATOR.scope)}


def test_the_pages(family: Families) -> None:
    for name, role, district in (("qinlang", "counter_operator", "110101"), ("anning", "city_operator", "")):
        user, _ = services.create_user(family.city.system, name, "某人", role, district=district)
        user.must_change_password = False
        user.save()
    counter, city = client_of("qinlang"), client_of("anning")
    page = "/districts/110101/"
    assert "没有登记" in counter.get("/districts/").content.decode()
    assert counter.get("/districts/110102/").status_code == 404
    wrong = counter.post(page, {**WHERE, "phone": ""})
    assert wrong.status_code == 400 and "请填写电话" in wrong.content.decode()
    assert counter.post(page, {**WHERE, "phone": "无"}).status_code == 400
    assert counter.post(page, WHERE).status_code == 302
    for client in (counter, city):
        shown = client.get("/districts/").content.decode()
        assert "东城区某街 9 号" in shown and "010-64000001" in shown
    shown = city.get(page).content.decode()
    assert 'value="东城区某街 9 号"' in shown and "上次由 某人" in shown
    assert city.get("/districts/110102/").status_code == 200

"""The school's pages for a family: guardians' phones, and replacements with their promises."""

import pytest
from django.db import transaction
from django.test import Client

from tests.journeys import town as towns
from tests.journeys.town import SYSTEM
from tests.support.families import PHONE, with_guardian
from tests.unit.common.test_probes import client_of
from tests.unit.numbers.test_blanks import lot
from xueka.contexts.families import api as families
from xueka.contexts.numbers import api as numbers
from xueka.contexts.replacements import api as replacements

pytestmark = pytest.mark.django_db


@pytest.fixture
def school() -> tuple[towns.Town, Client]:
    return towns.build(), client_of("school")


def test_a_phone_is_changed_and_a_guardian_added_and_ended(school: tuple[towns.Town, Client]) -> None:
    town, client = school
    child = with_guardian(town.students()[0].pk)
    url = f"/students/{child.education_id}/guardians/"
    assert "138****0001" in client.get(url).content.decode()
    wrong = client.post(
        url, {"verb": "change", "change-key": "roster", "change-phone": "1", "change-reason": "换号"}
    )
    assert wrong.status_code == 400 and "手机号码格式不符" in wrong.content.decode()
    given = {"verb": "change", "change-key": "roster", "change-phone": "13900000007", "change-reason": "换号"}
    assert client.post(url, given).status_code == 302
    more = {
        "add-name": "李梅",
        "add-phone": "13900000008",
        "add-relation": "母亲",
        "add-reason": "持证件到校",
    }
    assert client.post(url, {"verb": "add", **more}).status_code == 302
    page = client.get(url).content.decode()
    assert "139****0007" in page and "139****0008" in page and "已换号" in page and PHONE not in page
    key = families.guardians(SYSTEM.scope, child.education_id)[-1].key
    assert client.post(url, {"verb": "end", "end-key": key, "end-reason": "登记错了"}).status_code == 302
    assert "139****0008" not in client.get(url).content.decode()
    assert client.post(url, {"verb": "fly"}).status_code == 404
    stranger = town.students("second")[0]
    assert client.get(f"/students/{stranger.education_id}/guardians/").status_code == 404


def test_replacements_are_listed_with_their_promise(school: tuple[towns.Town, Client]) -> None:
    town, client = school
    child = town.students()[0]
    [card] = town.in_hand([child])
    with_guardian(child.pk, born="2010-01-01")
    with transaction.atomic():
        made = replacements.begin(SYSTEM, card.number, "data_change")
        replacements.choose_delivery(SYSTEM, made.id, "school")
        replacements.submit(SYSTEM, made.id)
    for address in ("/replacements/", "/replacements/?watch=1", "/replacements/?state=paid"):
        assert client.get(address).status_code == 200
    page = client.get("/replacements/").content.decode()
    assert made.number in page and "信息变更换卡" in page
    shown = client.get(f"/replacements/{made.number}/").content.decode()
    assert "免费" in shown and "到校" in shown
    assert client_of("reviewer").get(f"/replacements/{made.number}/").status_code == 403


def test_blanks_go_to_a_counter_and_come_back_on_paper(school: tuple[towns.Town, Client]) -> None:
    with transaction.atomic():
        numbers.import_blank_lot(SYSTEM, lot(1, 5), "L1", "一卡通公司", "张三")
    towns.add_user("counter", "秦朗", "counter_operator", school[0].schools["first"])
    client = client_of("operator")
    paper = {"given_by": "张三", "received_by": "李四", "document": "GT-1"}
    out = {"counter": "110101", "lot": "L1", "first": "1", "last": "4", "quantity": "3", **paper}
    wrong = client.post("/city/counters/out/", out)
    assert wrong.status_code == 400 and "清点的张数与库存不符" in wrong.content.decode()
    assert client.post("/city/counters/out/", {**out, "quantity": "4"}).status_code == 302
    assert client.post("/city/counters/in/", {**out, "first": "4", "quantity": "1"}).status_code == 302
    page = client.get("/city/counters/").content.decode()
    assert "东城区柜台" in page and "相符" in page
    shown = client_of("counter").get("/counter/blanks/").content.decode()
    assert "东城区柜台" in shown and "柜台退回" in shown
    assert client_of("school").get("/counter/blanks/").status_code == 403

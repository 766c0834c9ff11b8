"""What a page must refuse, asked without a browser: strangers' objects, wrong turns, empty selections."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.journeys.town import SYSTEM, Town
from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics


def client(town: Town, who: str) -> Client:
    made = Client()
    answer = made.post("/login/", {"username": who, "password": town.passwords[who]})
    assert answer.status_code == 302
    return made


def test_nobody_acts_on_a_strangers_objects(town: Town) -> None:
    students = town.students("second")
    [card] = town.in_hand(students[:1])
    [application_id] = town.submitted(students[1:2])
    number = cards.application(SYSTEM.scope, application_id).number
    box = town.on_the_way(students[2:3])
    foreign_class = students[0].school_class_id
    posts = {
        f"/cards/{card.number}/report_lost/": {},
        f"/applications/{number}/withdraw/": {},
        "/applications/bulk/withdraw/": {"keys": application_id},
        "/applications/bulk/withdraw/do/": {"keys": application_id},
        f"/students/{students[0].education_id}/consent/": {"action": "given"},
        f"/students/{students[0].education_id}/reveal/id_number/": {"reason": "看看"},
        f"/deliveries/{box.delivery.number}/packing-list.pdf": {},
        f"/school/receive/{box.number}/scan/": {"code": "1"},
        f"/school/receive/{box.number}/sign/": {},
        f"/school/apply/{foreign_class}/submit/": {"keys": students[0].id},
        "/school/hand-out/do/": {"class": foreign_class, "keys": card.id},
    }
    visitor = client(town, "school")
    assert {
        address: visitor.post(address, data).status_code for address, data in posts.items()
    } == dict.fromkeys(posts, 404)
    assert cards.card(SYSTEM.scope, card.number).state == "active"
    assert cards.application(SYSTEM.scope, number).state == "district_review"
    assert logistics.box(SYSTEM.scope, box.number).state == "in_transit"


def test_roles_keep_to_their_work(town: Town) -> None:
    [application_id] = town.submitted(town.students()[:1])
    number = cards.application(SYSTEM.scope, application_id).number
    school, district = client(town, "school"), client(town, "district")
    assert school.get(reverse("district:home")).status_code == 403
    assert district.get(reverse("school:home")).status_code == 403
    answer = school.post(f"/applications/{number}/approve/")
    assert answer.status_code == 409
    assert "不由您这一级办理" in answer.content.decode()
    assert cards.application(SYSTEM.scope, number).state == "district_review"
    assert school.get(reverse("objects:review")).status_code == 403


@pytest.mark.parametrize("onward", ["https://example.org/", "//example.org/", "javascript:alert(1)"])
def test_after_a_decision_nobody_is_led_out_of_the_site(town: Town, onward: str) -> None:
    [application_id] = town.submitted(town.students()[:1])
    number = cards.application(SYSTEM.scope, application_id).number
    answer = client(town, "district").post(f"/applications/{number}/approve/", {"next": onward})
    assert answer.url == f"/applications/{number}/"


def test_empty_and_unknown_requests_are_refused_in_words(town: Town) -> None:
    visitor = client(town, "school")
    of = town.students()[0].school_class_id
    for address, data, status, words in (
        (f"/school/apply/{of}/submit/", {}, 400, "没有选中任何学生"),
        (f"/school/apply/{of}/photos/", {}, 400, "没有收到照片文件"),
        ("/school/hand-out/preview/", {"class": of}, 400, "没有选中任何一张卡"),
        ("/applications/bulk/withdraw/", {}, 400, "没有选中任何一份"),
        ("/applications/bulk/approve/", {"keys": 1}, 404, "没有"),
        ("/applications/bulk/fly/", {"keys": 1}, 404, "没有"),
    ):
        answer = visitor.post(address, data)
        assert (address, answer.status_code) == (address, status)
        assert words in answer.content.decode(), address
    assert cards.application_counts(SYSTEM.scope) == {}


def test_a_photo_is_private_and_a_packing_list_is_a_post(town: Town) -> None:
    town.photographed(town.students()[:1])
    [photo] = cards.latest_photos(SYSTEM.scope, [town.students()[0].id]).values()
    visitor = client(town, "school")
    answer = visitor.get(f"/photos/{photo.id}.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"].startswith("private")
    assert Client().get(f"/photos/{photo.id}.jpg").status_code == 302
    assert visitor.get("/deliveries/PS260000001/packing-list.pdf").status_code == 405

"""What a page says of a file that it takes must be right; what lets a list out asks who is there."""

import json

import pytest
from django.conf import settings
from django.test import Client

from tests.support import factors
from xueka.kernel.notices import load_notice
from xueka.platform.identity import second_factor, services
from xueka.platform.identity.actor import Actor

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
PASSWORD = "Qianmen-Dajie-88"


def come_in(client: Client, role: str) -> Client:
    user, _ = services.create_user(SYSTEM, "zhao", "赵敏", role)
    user.set_password(PASSWORD)
    user.must_change_password = False
    user.save()
    second_factor.enrol_at_once(SYSTEM, "zhao")
    factors.answer(client, "zhao", client.post("/login/", {"username": "zhao", "password": PASSWORD}))
    return client


def test_the_example_of_a_notice_on_days_off_can_be_loaded(client: Client) -> None:
    page = come_in(client, "city_admin").get("/admin/calendar/")
    notice = load_notice(json.loads(page.context["example"]))
    assert (notice.year, len(notice.off), len(notice.make_up)) == (2026, 10, 2)
    assert "<pre" in page.content.decode()


def test_empty_files_of_a_take_over_are_to_be_had(client: Client) -> None:
    come_in(client, "city_operator")
    names = [link.url for link in client.get("/city/takeover/").context["templates"]]
    assert len(names) == 6
    for name in names:
        answer = client.get(name)
        assert answer.status_code == 200
        assert answer.content.decode("utf-8-sig").endswith("\r\n")
    assert client.get("/city/takeover/templates/other.csv").status_code == 404


@pytest.mark.parametrize("verb", ["approve", "take"])
def test_a_list_leaves_only_after_one_has_shown_again_who_one_is(client: Client, verb: str) -> None:
    come_in(client, "city_operator")
    assert client.post(f"/exports/DC0001/{verb}/").status_code == 404, "the log-in is fresh"
    session = client.session
    session["proved"] -= settings.PROVED_AGE + 1
    session.save()
    asked = client.post(f"/exports/DC0001/{verb}/")
    assert asked.status_code == 302
    assert asked["Location"].startswith("/session/confirm/")

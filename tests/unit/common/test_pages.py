"""The pages that belong to no single role, as a browser without scripts sees them."""

from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from tests.unit.design.support import faults
from xueka.entrypoints.design import nav
from xueka.entrypoints.portals.common import views
from xueka.platform.identity import services
from xueka.platform.identity.actor import Actor

PASSWORD = "Qianmen-Dajie-88"
SYSTEM = Actor.system("test")


@pytest.fixture(autouse=True)
def _person(db: None) -> None:
    user, _ = services.create_user(SYSTEM, "zhao", "赵敏", "district_officer", district="110101")
    user.set_password(PASSWORD)
    user.must_change_password = False
    user.save()
    services.grant(SYSTEM, "zhao", "district_officer", district="110102")


def come_in(client: Client, password: str = PASSWORD, **more: str):
    return client.post("/login/", {"username": "zhao", "password": password, **more}, follow=True)


def test_from_the_log_in_to_the_first_page_of_the_role(client: Client) -> None:
    page = client.get("/", follow=True)
    assert page.redirect_chain == [("/login/?next=/", 302)]
    page = come_in(client)
    assert page.redirect_chain[-1][0] == reverse(nav.portal_for("district_officer").home)
    text = page.content.decode()
    assert faults(text) == []
    assert "区级卡管员 · 东城区" in text


def test_where_one_wanted_to_go_and_nowhere_else(client: Client) -> None:
    assert come_in(client, next="/password/").redirect_chain[0][0] == "/password/"
    client.post("/logout/")
    assert come_in(client, next="https://evil.example/").redirect_chain[0][0] == "/"


def test_a_wrong_password_is_answered_in_chinese(client: Client) -> None:
    text = come_in(client, "falsch").content.decode()
    assert "用户名或密码不对，请核对后再试。连续 5 次不对，将锁定 15 分钟。" in text
    assert faults(text) == []
    text = client.post("/login/", {}).content.decode()
    assert "请填写用户名。" in text
    assert "请填写密码。" in text


def test_the_lock_out_says_how_long_and_what_to_do(client: Client) -> None:
    for _ in range(5):
        page = come_in(client, "falsch")
    assert page.status_code == 429
    text = page.content.decode()
    assert "连续 5 次密码不对" in text
    assert "已锁定 15 分钟" in text
    assert faults(text) == []


def test_out_by_post_only(client: Client) -> None:
    come_in(client)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/password/").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        ("falsch", "Xidan-Beidajie-9", "Xidan-Beidajie-9", "现在的密码不对。"),
        (PASSWORD, "kurz", "kurz", "密码太短：现在 4 个字符，至少要 10 个。"),
        (PASSWORD, "1234567890", "1234567890", "太常见"),
        (PASSWORD, "86420975310246", "86420975310246", "数字"),
        (PASSWORD, "Xidan-Beidajie-9", "Xidan-Beidajie-8", "两次输入的新密码不一样"),
        (PASSWORD, "", "", "请填写新密码。"),
    ],
)
def test_a_refused_new_password(client: Client, old: str, new: str, again: str, said: str) -> None:
    come_in(client)
    page = client.post("/password/", {"old": old, "new": new, "again": again})
    assert page.status_code == 400
    assert said in page.content.decode()
    assert "password" not in "".join(page.context["form"].errors.get("new", [])).lower()
    client.post("/logout/")
    assert come_in(client).status_code == 200


def test_a_new_password(client: Client) -> None:
    come_in(client)
    fields = {"old": PASSWORD, "new": "Xidan-Beidajie-9", "again": "Xidan-Beidajie-9"}
    assert "密码已修改。" in client.post("/password/", fields, follow=True).content.decode()
    client.post("/logout/")
    assert "用户名或密码不对" in come_in(client).content.decode()


def test_acting_in_another_place(client: Client) -> None:
    come_in(client)
    other = client.get("/password/").wsgi_request.grants[1]
    text = client.post("/session/grant/", {"grant": other.pk}, follow=True).content.decode()
    assert "现在以区级卡管员的身份办理（西城区）。" in text
    assert client.post("/session/grant/", {"grant": "x"}).status_code == 404
    assert client.post("/session/grant/", {"grant": "999999"}).status_code == 404


@pytest.fixture
def hits(monkeypatch: pytest.MonkeyPatch) -> list[nav.Hit]:
    found: list[nav.Hit] = []
    monkeypatch.setattr(nav, "_providers", [lambda request, query: found])
    return found


def test_a_scanned_number_leads_straight_to_its_object(client: Client, hits: list[nav.Hit]) -> None:
    come_in(client)
    hits += [nav.Hit("学生", "王子涵", "/s/1/"), nav.Hit("学生卡", "240000000377", "/c/1/", exact=True)]
    assert client.get("/search/", {"q": "240000000377"}).headers["Location"] == "/c/1/"


def test_two_objects_of_one_number_are_shown(client: Client, hits: list[nav.Hit]) -> None:
    come_in(client)
    hits += [nav.Hit("箱", "甲", "/a/", exact=True), nav.Hit("批次", "<乙>", "/b/", exact=True)]
    text = client.get("/search/", {"q": "1"}).content.decode()
    assert "&lt;乙&gt;" in text
    assert faults(text) == []


def test_hits_while_one_types(client: Client, hits: list[nav.Hit]) -> None:
    come_in(client)
    hits += [nav.Hit("学生卡", "240000000377", "/c/1/", exact=True)] * 20
    page = client.get("/search/", {"q": "24", "part": "1"})
    assert page.content.decode().count("<a ") == 8


def test_nothing_found_says_what_can_be_asked(client: Client, hits: list[nav.Hit]) -> None:
    come_in(client)
    assert "没有找到“马”" in client.get("/search/", {"q": "马"}).content.decode()
    assert "可以找什么" in client.get("/search/").content.decode()
    assert client.post("/search/").status_code == 405


def test_a_page_whose_session_ended_gets_a_new_token_only_after_log_in(client: Client) -> None:
    script = {"HX-Request": "true"}
    assert client.get("/session/token/", headers=script).status_code == 401
    come_in(client)
    assert len(client.get("/session/token/", headers=script).content) == 64
    assert "回到原来的页面" in client.get("/session/again/").content.decode()


def test_a_role_without_pages_is_told_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nav, "_portals", {})
    page = come_in(client)
    assert page.status_code == 403
    assert "这个身份没有网页可用" in page.content.decode()


@pytest.mark.parametrize(
    ("debug", "asked", "is_open"), [(True, "", True), (False, "1", True), (False, "", False)]
)
def test_the_style_guide_is_for_builders(monkeypatch, debug: bool, asked: str, is_open: bool) -> None:
    monkeypatch.setenv("XUEKA_DESIGN", asked)
    assert views.styleguide_is_open(SimpleNamespace(DEBUG=debug)) is is_open


def test_a_stranger_s_address_is_not_found_in_our_words(client: Client) -> None:
    page = client.get("/no/such/page/")
    assert page.status_code == 404
    assert "没有找到" in page.content.decode()


def test_a_stale_form_is_explained() -> None:
    page = Client(enforce_csrf_checks=True).post("/login/", {"username": "zhao"})
    assert page.status_code == 403
    assert "页面放得太久了" in page.content.decode()


@pytest.mark.parametrize(
    ("page", "onward"),
    [
        ("http://testserver/review/2111010001/?state=x", "/review/2111010001/%3Fstate%3Dx"),
        ("https://evil.example/", "/"),
        ("", "/"),
    ],
)
def test_a_form_sent_too_late_leads_back_to_its_page(client: Client, page: str, onward: str) -> None:
    answer = client.post("/session/grant/", headers={"Referer": page} if page else {})
    assert answer.headers["Location"] == f"/login/?next={onward}"

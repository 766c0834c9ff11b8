"""Logging in and out, lock-out, the life of a session, the edge of the portals: through real requests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tests.support import factors
from tests.unit.platform.identity.conftest import DISTRICT, PASSWORD, SYSTEM, MakeUser
from xueka.platform.audit.models import Entry
from xueka.platform.identity import services
from xueka.platform.identity.models import User
from xueka.platform.identity.web import portal_view

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.unit.platform.identity.pages")]

NEW = "Houhai-Beiyan-7"


def log_in(client: Client, username: str = "zhao", password: str = PASSWORD, **extra: str) -> HttpResponse:
    answered = client.post("/login/", {"username": username, "password": password}, **extra)
    return factors.answer(client, username, answered)


def logged(action: str = "session.log_in") -> list[tuple[str, str, str]]:
    found = Entry.objects.filter(action=action).order_by("id")
    return [(entry.actor, entry.result, entry.detail.get("why", "")) for entry in found]


def is_in(client: Client) -> bool:
    answer = client.get("/test/anyone/")
    if answer.status_code == 302:
        assert answer["Location"] == "/login/?next=/test/anyone/"
    return answer.status_code == 200


@pytest.fixture
def clocked() -> object:
    with time_machine.travel(datetime(2026, 9, 1, 1, tzinfo=UTC), tick=False) as traveller:
        yield traveller


# --- in and out ---


def test_in_and_out(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    assert not is_in(client)
    assert log_in(client, REMOTE_ADDR="10.2.3.4").status_code == 302
    assert client.get("/test/read/").content.decode() == f"zhao school_officer school:{DISTRICT}:2111000001"
    entry = Entry.objects.get(action="session.log_in")
    assert (entry.actor, entry.address, entry.role) == ("zhao", "10.2.3.4", "school_officer")
    assert client.post("/logout/").status_code == 302
    assert not is_in(client)
    assert logged("session.log_out") == [("zhao", "done", "")]
    assert client.get("/logout/").status_code == 405


def test_a_wrong_password_is_kept_in_the_log_and_not_in_clear(client: Client, person: MakeUser) -> None:
    person("zhao")
    answer = log_in(client, password="wrong-secret")
    assert answer.status_code == 200
    assert "用户名或密码不对" in answer.content.decode()
    log_in(client, username="a-secret-typed-into-the-wrong-field", password="x")
    assert logged() == [("", "refused", "wrong"), ("", "refused", "wrong")]
    known, unknown = Entry.objects.filter(action="session.log_in").order_by("id")
    assert (known.object_id, unknown.object_id) == ("zhao", "")
    assert "secret" not in str(list(Entry.objects.values()))
    assert not is_in(client)


def test_who_has_no_role_does_not_come_in(client: Client, person: MakeUser) -> None:
    user = person("zhao")
    services.revoke(SYSTEM, "zhao", user.grants.get().pk)
    answer = log_in(client)
    assert "没有有效的角色" in answer.content.decode()
    assert not is_in(client)
    assert logged() == [("", "refused", "role")]


def test_a_deactivated_user_does_not_come_in(client: Client, person: MakeUser) -> None:
    person("zhao")
    services.deactivate(SYSTEM, "zhao")
    assert log_in(client).status_code == 200
    assert not is_in(client)


def test_behind_the_proxy_only_what_it_adds_is_believed(
    client: Client, person: MakeUser, settings: object
) -> None:
    person("zhao", "school_officer")
    settings.HTTPS = True
    log_in(client, HTTP_X_FORWARDED_FOR="1.1.1.1, 10.9.9.9", REMOTE_ADDR="127.0.0.1")
    settings.HTTPS = False
    log_in(Client(), HTTP_X_FORWARDED_FOR="1.1.1.1, 10.9.9.9", REMOTE_ADDR="127.0.0.1")
    assert list(
        Entry.objects.filter(action="session.log_in").values_list("address", flat=True).order_by("id")
    ) == [
        "10.9.9.9",
        "127.0.0.1",
    ]


# --- lock-out ---


def test_five_failures_lock_for_fifteen_minutes(
    client: Client, person: MakeUser, clocked: time_machine.Traveller
) -> None:
    person("zhao")
    for _ in range(4):
        assert log_in(client, password="wrong").status_code == 200
    assert log_in(client, password="wrong").status_code == 429
    answer = log_in(client)
    assert answer.status_code == 429, "the right password does not help now"
    assert "暂时不能登录" in answer.content.decode()
    assert not is_in(client)
    assert logged()[-1] == ("", "refused", "locked")
    clocked.shift(timedelta(minutes=14, seconds=59))
    assert log_in(client).status_code == 429
    clocked.shift(timedelta(seconds=2))
    assert log_in(client).status_code == 302, "trying during the lock does not prolong it"


def test_the_lock_is_for_this_user_from_this_address(client: Client, person: MakeUser) -> None:
    person("zhao")
    person("wang")
    for _ in range(6):
        log_in(client, password="wrong", REMOTE_ADDR="10.0.0.1")
    assert log_in(Client(), REMOTE_ADDR="10.0.0.1").status_code == 429
    assert log_in(Client(), username="wang", REMOTE_ADDR="10.0.0.1").status_code == 302
    assert log_in(Client(), REMOTE_ADDR="10.0.0.2").status_code == 302


def test_failures_are_forgotten(client: Client, person: MakeUser, clocked: time_machine.Traveller) -> None:
    person("zhao")
    for _ in range(4):
        log_in(client, password="wrong")
    clocked.shift(timedelta(minutes=15, seconds=1))
    assert log_in(client, password="wrong").status_code == 200
    assert log_in(client).status_code == 302
    client.post("/logout/")
    for _ in range(4):
        assert log_in(client, password="wrong").status_code == 200, "a success begins a new count"


# --- the life of a session ---


def test_half_an_hour_idle_ends_it(client: Client, person: MakeUser, clocked: time_machine.Traveller) -> None:
    person("zhao")
    log_in(client)
    for minutes in (29, 29, 29):
        clocked.shift(timedelta(minutes=minutes))
        assert is_in(client)
    clocked.shift(timedelta(minutes=30))
    assert not is_in(client)
    assert logged("session.expire") == [("zhao", "done", "idle")]
    assert "30 分钟没有操作" in client.get("/login/").content.decode()


def test_twelve_hours_end_it(client: Client, person: MakeUser, clocked: time_machine.Traveller) -> None:
    person("zhao")
    log_in(client)
    for _ in range(12 * 60 // 20 - 1):
        clocked.shift(timedelta(minutes=20))
        assert is_in(client)
    clocked.shift(timedelta(minutes=20))
    assert not is_in(client)
    assert logged("session.expire") == [("zhao", "done", "absolute")]


def test_pages_in_quick_succession_write_nothing(
    client: Client, person: MakeUser, django_assert_num_queries: Callable[..., object]
) -> None:
    person("zhao")
    log_in(client)
    with django_assert_num_queries(3):  # session, user, grants
        client.get("/test/anyone/")


def test_a_session_is_a_new_one_after_log_in(client: Client, person: MakeUser) -> None:
    person("zhao")
    client.get("/login/")
    client.cookies["sessionid"] = "planted-by-somebody-else"
    log_in(client)
    assert client.cookies["sessionid"].value != "planted-by-somebody-else"
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["expires"], "gone with the browser"
    assert Session.objects.get().expire_date - timezone.now() <= timedelta(hours=12)


def test_deactivation_ends_it_at_once(client: Client, person: MakeUser) -> None:
    person("zhao")
    log_in(client)
    services.deactivate(SYSTEM, "zhao")
    assert not is_in(client)


def test_a_reset_password_ends_it_at_once(client: Client, person: MakeUser) -> None:
    person("zhao")
    log_in(client)
    services.reset_password(SYSTEM, "zhao")
    assert not is_in(client)


def test_revoking_the_role_acted_in_ends_it_at_once(client: Client, person: MakeUser) -> None:
    user = person("zhao", "school_officer")
    services.grant(SYSTEM, "zhao", "district_officer", district=DISTRICT)
    log_in(client)
    services.revoke(SYSTEM, "zhao", user.grants.get(role="school_officer").pk)
    assert not is_in(client)
    assert logged("session.expire") == [("zhao", "done", "revoked")]
    log_in(client)
    assert b"district_officer" in client.get("/test/read/").content


def test_revoking_another_role_does_not(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    other = services.grant(SYSTEM, "zhao", "district_officer", district=DISTRICT)
    log_in(client)
    services.revoke(SYSTEM, "zhao", other.pk)
    assert is_in(client)


def test_switching_between_ones_own_roles(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    stranger = person("wang").grants.get()
    other = services.grant(SYSTEM, "zhao", "district_officer", district=DISTRICT)
    log_in(client)
    assert client.post("/session/grant/", {"grant": stranger.pk}).status_code == 404
    assert client.post("/session/grant/", {"grant": "x"}).status_code == 404
    assert b"school_officer" in client.get("/test/read/").content
    client.post("/session/grant/", {"grant": other.pk})
    assert client.get("/test/read/").content.decode() == f"zhao district_officer district:{DISTRICT}"
    assert logged("session.switch") == [("zhao", "done", "")]


# --- passwords that are due ---


def test_who_must_change_the_password_sees_nothing_else(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    User.objects.update(must_change_password=True)
    other = Client()
    for each in (client, other):
        log_in(each)
        assert each.get("/test/anyone/")["Location"] == "/password/"
        assert each.post("/test/write/well/")["Location"] == "/password/"
    assert client.get("/password/").status_code == 200
    form = {"old": PASSWORD, "new": NEW, "again": NEW}
    wrong = client.post("/password/", form | {"old": "wrong"})
    assert "现在的密码不对" in wrong.content.decode()
    same = client.post("/password/", form | {"new": PASSWORD, "again": PASSWORD})
    assert "不能与现在的密码相同" in same.content.decode()
    assert client.post("/password/", form)["Location"] == "/"
    assert is_in(client)
    assert not is_in(other), "every other session is over"
    assert log_in(other, password=NEW).status_code == 302


def test_city_roles_are_sent_to_renew(
    client: Client, person: MakeUser, clocked: time_machine.Traveller
) -> None:
    person("zhao", "city_operator")
    person("wang", "school_officer")
    clocked.shift(timedelta(days=180))
    log_in(client)
    assert client.get("/test/anyone/")["Location"] == "/password/"
    other = Client()
    log_in(other, username="wang")
    assert is_in(other)


# --- the edge ---


def test_permissions_guard_functions_and_classes(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    person("chu", "auditor")
    assert client.get("/test/audit/").status_code == 302
    log_in(client)
    assert client.get("/test/audit/").status_code == 403
    other = Client()
    log_in(other, username="chu")
    assert other.get("/test/audit/").content == b"audit"
    assert other.post("/test/write/well/").status_code == 403


@pytest.mark.parametrize(
    ("ending", "status", "kept"),
    [("well", 200, 1), ("form", 422, 0), ("refused", 409, 0), ("stranger", 404, 0)],
)
def test_what_is_answered_with_an_error_has_changed_nothing(
    client: Client, person: MakeUser, ending: str, status: int, kept: int
) -> None:
    person("zhao", "school_officer")
    log_in(client)
    assert client.post(f"/test/write/{ending}/").status_code == status
    assert Entry.objects.filter(action="test.write").count() == kept


def test_the_permission_of_a_view_can_be_read() -> None:
    assert portal_view("a:b:c")(lambda request: None).permissions == ("a:b:c",)

"""The register of sessions, showing again that it is oneself, what the log-in keeps."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client

from tests.support import factors
from tests.unit.platform.identity.conftest import DISTRICT, PASSWORD, SYSTEM, MakeUser
from tests.unit.platform.identity.test_sessions import is_in, log_in
from xueka.kernel.errors import Forbidden, NotFound
from xueka.platform.audit.models import Entry
from xueka.platform.identity import jobs, lockouts, registered, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import Grant, StaffSession
from xueka.platform.identity.scope import Scope

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.unit.platform.identity.pages")]
SECURITY = Actor.in_role("security", "卫平", "security_admin", Scope("city"))
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0"


@pytest.fixture
def clocked() -> object:
    with time_machine.travel(datetime(2026, 9, 1, 1, tzinfo=UTC), tick=False) as traveller:
        yield traveller


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (EDGE, "Windows · Edge 120"),
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0", "Linux · Firefox 128"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/99.0 MicroMessenger/8.0", "安卓 · 微信 8"),
        ("<script>alert(1)</script>", "未知设备"),
        ("", "未知设备"),
    ],
)
def test_devices_are_told_in_our_words(agent: str, words: str) -> None:
    assert registered.device_words(agent) == words


def test_ending_ones_own_sessions(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    other, third = Client(), Client()
    for each in (client, other, third):
        log_in(each, headers={"User-Agent": EDGE}, REMOTE_ADDR="10.1.1.1")
    assert [row.device for row in registered.of_user("zhao")] == ["Windows · Edge 120"] * 3
    page = client.get("/sessions/").content.decode()
    assert page.count("Windows · Edge 120") == 3
    key = other.session.session_key
    pk = StaffSession.objects.get(key=key).pk
    client.post("/sessions/end/", {"session": pk})
    assert not is_in(other)
    assert is_in(third)
    client.post("/sessions/end/", {"session": "others"})
    assert not is_in(third)
    assert is_in(client)
    assert client.post("/sessions/end/", {"session": pk}).status_code == 404, "it is over"
    assert Session.objects.filter(session_key=key).count() == 0
    client.post("/logout/")
    assert list(StaffSession.objects.values_list("ended_why", flat=True).order_by("id")) == [
        "log_out",
        "user",
        "user",
    ]


def test_nobody_ends_a_strangers_session(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    person("wang", "school_officer")
    stranger = Client()
    log_in(stranger, "wang")
    log_in(client)
    pk = StaffSession.objects.get(user__username="wang").pk
    assert client.post("/sessions/end/", {"session": pk}).status_code == 404
    assert is_in(stranger)


def test_an_administrator_forces_somebody_out(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    log_in(client)
    with pytest.raises(Forbidden):
        registered.force_out(Actor.in_role("o", "王", "city_operator", Scope("city")), "zhao", "离岗")
    with pytest.raises(NotFound):
        registered.force_out(SECURITY, "zhao", "离岗", session_id=99999)
    assert registered.force_out(SECURITY, "zhao", "离岗未退出") == 1
    assert not is_in(client)
    assert Entry.objects.get(action="session.force_out").detail == {"sessions": 1, "reason": "离岗未退出"}


def test_a_changed_password_leaves_this_session_alone(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    other = Client()
    for each in (client, other):
        log_in(each)
    client.post("/password/", {"old": PASSWORD, "new": "Houhai-Beiyan-7", "again": "Houhai-Beiyan-7"})
    (mine,) = StaffSession.objects.filter(ended_at=None)
    assert mine.key == client.session.session_key
    assert not is_in(other)


def test_a_deactivated_persons_sessions_are_closed(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    log_in(client)
    services.deactivate(SYSTEM, "zhao", "离任")
    assert StaffSession.objects.get().ended_why == "inactive"


def test_the_sweep_clears_what_time_has_ended(
    client: Client, person: MakeUser, clocked: time_machine.Traveller
) -> None:
    zhao = person("zhao", "school_officer")
    log_in(client)
    (grant,) = zhao.grants.all()
    Grant.objects.update(ends_at=datetime(2026, 9, 1, 2, tzinfo=UTC))
    assert is_in(client)
    clocked.shift(timedelta(hours=1))
    jobs.tidy()
    assert not is_in(client), "the grant has ended"
    grant.refresh_from_db()
    assert (grant.revoked_by, grant.revoked_at is not None) == ("system:grants", True)
    clocked.shift(timedelta(hours=13))
    jobs.tidy()
    assert StaffSession.objects.get().key == ""
    assert not Session.objects.filter(session_key=client.session.session_key).exists()


def test_a_grant_that_has_not_begun_counts_for_nothing(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    Grant.objects.update(begins_at=datetime(2099, 1, 1, tzinfo=UTC))
    assert "没有有效的角色" in log_in(client).content.decode()


def test_important_acts_ask_again(
    client: Client, person: MakeUser, settings: object, clocked: time_machine.Traveller
) -> None:
    settings.PROVED_FOR = frozenset({"switch_grant"})
    zhao = person("zhao", "school_officer")
    other = services.grant(SYSTEM, "zhao", "district_officer", district=DISTRICT)
    assert zhao
    log_in(client)
    act = {"grant": other.pk}
    assert client.post("/session/grant/", act)["Location"] == "/", "the log-in is fresh"
    clocked.shift(timedelta(minutes=16))
    came = {"headers": {"Referer": "http://testserver/test/anyone/?a=1"}}
    asked = client.post("/session/grant/", act, **came)["Location"]
    assert asked == "/session/confirm/?next=%2Ftest%2Fanyone%2F%3Fa%3D1"
    assert client.post(asked, {"proof": "wrong"}).status_code == 400
    assert client.post(asked, {"proof": PASSWORD})["Location"] == "/test/anyone/?a=1"
    assert client.post("/session/grant/", act)["Location"] == "/"
    clocked.shift(timedelta(minutes=16))
    evil = client.post("/session/grant/", act, headers={"Referer": "//evil.example/x"})["Location"]
    assert client.post(evil, {"proof": PASSWORD})["Location"].startswith("/")
    clocked.shift(timedelta(minutes=16))
    asked = client.post("/session/grant/", act)["Location"]
    for _ in range(5):
        answer = client.post(asked, {"proof": "wrong"})
    assert answer.status_code == 429, "guessing here locks like guessing at the door"


# --- what the log-in keeps ---


def test_a_password_in_the_name_field_is_nowhere_kept(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    for typed in ("Secret-Im-Falschen-Feld-1", "?Secret-2", "zhao"):
        log_in(client, username=typed, password="Secret-3")
    kept = str(list(AccessAttempt.objects.values()))
    assert "Secret" not in kept
    names = set(AccessAttempt.objects.values_list("username", flat=True))
    assert "zhao" in names
    assert all(len(name) == 25 for name in names - {"zhao"})


def test_unknown_names_are_counted_and_locked_too(client: Client, person: MakeUser) -> None:
    for _ in range(5):
        answer = log_in(client, username="nobody-here", password="x")
    assert answer.status_code == 429
    assert "nobody-here" not in answer.content.decode()
    (lock,) = lockouts.locked_now()
    assert (lock.username, lock.name, lock.failures) == ("", "（不是账号）", 5)


def test_a_lock_out_is_released_with_a_reason(client: Client, person: MakeUser) -> None:
    person("zhao")
    for _ in range(5):
        log_in(client, password="wrong")
    assert log_in(client).status_code == 429
    (lock,) = lockouts.locked_now()
    assert (lock.username, lock.name) == ("zhao", "某人")
    with pytest.raises(Forbidden):
        lockouts.release(Actor.in_role("a", "甲", "city_admin", Scope("city")), lock.id, "本人来电")
    lockouts.release(SECURITY, lock.id, "本人来电")
    assert lockouts.locked_now() == []
    assert factors.answer(client, "zhao", log_in(client)).status_code == 302
    with pytest.raises(NotFound):
        lockouts.release(SECURITY, lock.id, "再来一次")

"""The second factor: enrolment, codes that count once, recovery, the lock-out it shares with the password."""

import threading
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client

from tests.support import factors
from tests.unit.platform.identity.conftest import PASSWORD, SYSTEM, MakeUser
from xueka.kernel.errors import BadInput, Forbidden, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.crypto import fields
from xueka.platform.identity import accounts, second_factor, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import RecoveryCode, SecondFactor, User
from xueka.platform.identity.scope import Scope

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.unit.platform.identity.pages")]

SECURITY = Actor.in_role("security", "安全", "security_admin", Scope("city"))


@pytest.fixture
def newcomer(person: MakeUser) -> User:
    """An operator who has not enrolled yet."""
    user = person("zhao")
    SecondFactor.objects.all().delete()
    return user


@pytest.fixture
def clocked() -> object:
    with time_machine.travel(datetime(2026, 9, 1, 1, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def post_password(client: Client) -> object:
    return client.post("/login/", {"username": "zhao", "password": PASSWORD})


def secret_of(username: str) -> str:
    return fields.unseal(bytes(SecondFactor.objects.get(user__username=username).envelope))["secret"]


def test_the_secret_is_sealed(person: MakeUser) -> None:
    person("zhao")
    secret = secret_of("zhao")
    assert len(secret) == 32
    with connection.cursor() as cursor:
        cursor.execute("SELECT envelope FROM identity_secondfactor")
        assert secret.encode() not in bytes(cursor.fetchone()[0])


def test_a_city_role_enrols_at_the_first_log_in_and_sees_nothing_before(
    client: Client, newcomer: User
) -> None:
    assert post_password(client)["Location"] == "/"
    assert client.get("/test/anyone/")["Location"] == "/factor/"
    assert client.post("/test/write/well/")["Location"] == "/factor/"
    page = client.get("/factor/").content.decode()
    secret = secret_of("zhao")
    assert secret[:4] in page
    assert 'src="data:image/png;base64,' in page
    assert client.get("/factor/").content.decode().count(secret[:4]) == page.count(secret[:4]), (
        "the same secret"
    )
    assert client.post("/factor/", {"code": "000000"}).status_code == 400
    answer = client.post("/factor/", {"code": pyotp.TOTP(secret).now()})
    codes = [line.split("<")[0] for line in answer.content.decode().split('<li class="xk-code">')[1:]]
    assert len(set(codes)) == 10
    assert client.get("/test/anyone/").status_code == 200
    assert not RecoveryCode.objects.filter(digest__in=[code.encode() for code in codes]).exists()
    assert Entry.objects.filter(action="factor.enrol", actor="zhao").count() == 1
    assert client.get("/factor/")["Location"] == "/", "there is no second enrolment"
    with pytest.raises(Refused):
        second_factor.offer(newcomer)


def test_digits_of_full_width_are_a_wrong_code(client: Client, newcomer: User) -> None:
    post_password(client)
    client.get("/factor/")
    assert client.post("/factor/", {"code": "１２３４５６"}).status_code == 400


def test_a_password_alone_gives_no_recovery_codes(client: Client, person: MakeUser) -> None:
    user = person("zhao", "school_officer")
    second_factor.enrol_at_once(SYSTEM, "zhao")
    post_password(client)
    assert client.post("/factor/recovery-codes/")["Location"] == "/session/confirm/?next=/sessions/"
    services.open_grant(SYSTEM, user, "city_operator", Scope("city"))
    assert client.post("/factor/recovery-codes/")["Location"] == "/factor/"
    assert second_factor.recovery_codes_left(user) == 0
    client.post("/session/confirm/", {"proof": factors.fresh_code("zhao")})
    assert client.post("/factor/recovery-codes/").status_code == 200
    assert second_factor.recovery_codes_left(user) == 10


def test_who_has_no_city_role_needs_none(client: Client, person: MakeUser) -> None:
    person("zhao", "school_officer")
    post_password(client)
    assert client.get("/test/anyone/").status_code == 200


def test_between_password_and_code_nobody_is_logged_in(
    client: Client, person: MakeUser, clocked: time_machine.Traveller
) -> None:
    person("zhao")
    assert post_password(client)["Location"].startswith("/login/code/")
    assert client.get("/test/anyone/")["Location"].startswith("/login/")
    assert client.post("/test/write/well/")["Location"].startswith("/login/")
    assert Client().get("/login/code/")["Location"] == "/login/"
    clocked.shift(timedelta(seconds=301))
    code = factors.fresh_code("zhao")
    assert client.post("/login/code/", {"code": code})["Location"] == "/login/", "five minutes are over"


def test_a_reset_password_ends_the_wait_for_the_code(client: Client, person: MakeUser) -> None:
    person("zhao")
    post_password(client)
    services.reset_password(SYSTEM, "zhao")
    code = factors.fresh_code("zhao")
    assert client.post("/login/code/", {"code": code})["Location"] == "/login/"


def test_a_code_counts_once(client: Client, person: MakeUser, clocked: time_machine.Traveller) -> None:
    user = person("zhao")
    totp = pyotp.TOTP(secret_of("zhao"))
    now = int(datetime(2026, 9, 1, 1, tzinfo=UTC).timestamp())
    before, present, after = (totp.at(now, counter_offset=step) for step in (-1, 0, 1))
    for wrong in (
        totp.at(now, counter_offset=-2),
        totp.at(now, counter_offset=2),
        "",
        "abc",
        "１２３４５６",
        present[:5],
    ):
        assert second_factor.check(user, wrong) == ""
    assert second_factor.check(user, present) == "code"
    assert second_factor.check(user, present) == "", "used"
    assert second_factor.check(user, before) == "", "older than one that was used"
    assert second_factor.check(user, f" {after[:3]} {after[3:]} ") == "code"


def test_recovery_codes_count_once_each(person: MakeUser) -> None:
    user = person("zhao")
    (actor,) = accounts.actors_of(user)
    codes = second_factor.renew_recovery_codes(actor)
    assert len(codes) == 10
    assert second_factor.check(user, codes[0].upper().replace("-", " ")) == "recovery"
    assert second_factor.check(user, codes[0]) == ""
    assert second_factor.recovery_codes_left(user) == 9
    other = person("wang")
    assert second_factor.check(other, codes[1]) == "", "somebody else's"
    second_factor.renew_recovery_codes(actor)
    assert second_factor.check(user, codes[1]) == "", "void"


def test_wrong_codes_and_wrong_passwords_count_together(client: Client, person: MakeUser) -> None:
    person("zhao")
    for _ in range(2):
        client.post("/login/", {"username": "zhao", "password": "wrong"})
    post_password(client)
    for status in (400, 400, 429):
        assert client.post("/login/code/", {"code": "000000"}).status_code == status
    code = factors.fresh_code("zhao")
    assert client.post("/login/code/", {"code": code}).status_code == 429, "the right one does not help now"
    assert post_password(client).status_code == 429
    whys = Entry.objects.filter(action="session.log_in").values_list("detail__why", flat=True)
    assert list(whys.order_by("id"))[:5] == ["wrong", "wrong", "code", "code", "code"]
    assert post_password(Client(REMOTE_ADDR="10.0.0.2")).status_code == 302


def test_another_administrator_takes_it_away_with_a_reason(client: Client, person: MakeUser) -> None:
    user = person("zhao")
    factors.answer(client, "zhao", post_password(client))
    with pytest.raises(BadInput):
        second_factor.reset(SECURITY, "zhao", " ")
    with pytest.raises(Forbidden):
        second_factor.reset(Actor.in_role("a", "甲", "city_admin", Scope("city")), "zhao", "手机丢失")
    second_factor.reset(SECURITY, "zhao", "手机丢失")
    assert not second_factor.enrolled(user)
    assert client.get("/test/anyone/").status_code == 302, "open sessions are over"
    assert Entry.objects.get(action="factor.reset").detail == {"reason": "手机丢失"}
    wei = person("wei", "security_admin")
    (herself,) = accounts.actors_of(wei)
    with pytest.raises(Refused):
        second_factor.reset(herself, "wei", "手机丢失")


@pytest.mark.parametrize("first", ["password", "factor"])
def test_nobody_alone_takes_over_an_account(client: Client, person: MakeUser, first: str) -> None:
    person("zhao")
    resets = {
        "password": lambda actor: services.reset_password(actor, "zhao"),
        "factor": lambda actor: second_factor.reset(actor, "zhao", "手机丢失"),
    }
    one, other = resets.pop(first), resets.popitem()[1]
    one(SECURITY)
    with pytest.raises(Refused) as refusal:
        other(SECURITY)
    assert refusal.value.code == "SECOND_PERSON"
    other(Actor.in_role("second", "安全二", "security_admin", Scope("city")))


def test_after_its_owner_has_come_both_may_be_reset(client: Client, person: MakeUser) -> None:
    zhao = person("zhao")
    second_factor.reset(SECURITY, "zhao", "手机丢失")
    post_password(client)
    services.reset_password(SECURITY, "zhao")
    zhao.refresh_from_db()
    assert zhao.must_change_password


def test_a_role_of_the_city_given_in_the_midst_asks_for_the_factor(client: Client, person: MakeUser) -> None:
    person("zhao", "district_officer")
    post_password(client)
    assert client.get("/test/anyone/").status_code == 200
    services.grant(SYSTEM, "zhao", "city_operator")
    assert client.get("/test/anyone/")["Location"] == "/factor/"
    second_factor.enrol_at_once(SYSTEM, "zhao")
    assert client.get("/factor/")["Location"] == "/session/confirm/"
    assert client.post("/session/confirm/", {"proof": PASSWORD}).status_code == 400, "a password is no factor"
    client.post("/session/confirm/", {"proof": factors.fresh_code("zhao")})
    assert client.get("/test/anyone/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_processes_cannot_both_accept_one_code(person: MakeUser) -> None:
    user = person("zhao")
    code = factors.fresh_code("zhao")
    start, passed = threading.Barrier(4), []

    def attempt() -> None:
        start.wait()
        with transaction.atomic():
            passed.append(second_factor.check(user, code))
        connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == ["", "", "", "code"]

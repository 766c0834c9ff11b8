"""Activation codes: once, for a time, by the one who is meant."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from tests.unit.platform.identity.conftest import DISTRICT, PASSWORD, SCHOOL, SYSTEM, MakeUser
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused
from xueka.platform.audit.models import Entry
from xueka.platform.identity import activation, services
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.models import ActivationCode, User
from xueka.platform.identity.scope import Scope

pytestmark = pytest.mark.django_db
KEEPER = Actor.in_role("district", "郑宇", "district_officer", Scope("district", DISTRICT))
STRANGER = Actor.in_role("west", "钱辰", "district_officer", Scope("district", "110102"))


@pytest.fixture
def waiting() -> User:
    """An officer whom a list has named."""
    user = services.new_user("s2111000001.1", "周敏")
    user.set_unusable_password()
    user.awaits_activation = user.may_choose_username = True
    user.save()
    services.open_grant(SYSTEM, user, "school_officer", Scope("school", DISTRICT, SCHOOL))
    return user


def code_of(user: User) -> str:
    (sheet,) = activation.make_sheets(KEEPER, [user.username])
    return sheet.code


def test_a_person_opens_her_account(client: Client, waiting: User) -> None:
    code = code_of(waiting)
    assert code.replace("-", "") not in str(list(ActivationCode.objects.values()))
    assert client.post("/login/", {"username": waiting.username, "password": "!"}).status_code == 200
    assert client.post("/activate/", {"code": code.lower().replace("-", " ")})["Location"] == "/activate/"
    assert code.lower().replace("-", " ") not in str(dict(client.session))
    page = client.get("/activate/").content.decode()
    assert "周敏，您好" in page
    form = {"username": "zhou.min", "new": PASSWORD, "again": PASSWORD}
    assert client.post("/activate/", form | {"new": "short", "again": "short"}).status_code == 400
    assert client.post("/activate/", form | {"username": "Zhou Min"}).status_code == 400
    assert client.post("/activate/", form)["Location"] == "/login/"
    waiting.refresh_from_db()
    assert (waiting.username, waiting.first_username) == ("zhou.min", "s2111000001.1")
    assert not waiting.awaits_activation
    assert client.post("/login/", {"username": "zhou.min", "password": PASSWORD})["Location"] == "/"
    entry = Entry.objects.get(action="activation.use")
    assert (entry.object_id, entry.detail) == ("zhou.min", {"was": "s2111000001.1"})
    with pytest.raises(Refused):
        activation.activate(code, PASSWORD)


def test_a_code_expires_and_a_new_one_voids_the_old(waiting: User) -> None:
    with time_machine.travel(datetime(2026, 8, 1, tzinfo=UTC), tick=False) as clocked:
        first, second = code_of(waiting), code_of(waiting)
        assert activation.recognise(first) is None
        assert activation.recognise(second) == waiting
        clocked.shift(timedelta(days=30, seconds=1))
        assert activation.recognise(second) is None
        with pytest.raises(Refused) as refusal:
            activation.activate(second, PASSWORD)
    assert refusal.value.code == "CODE_UNKNOWN"
    waiting.refresh_from_db()
    assert waiting.awaits_activation


def test_wrong_codes_lock_the_address(client: Client, waiting: User) -> None:
    code = code_of(waiting)
    for status in (400, 400, 400, 400, 429, 429):
        assert client.post("/activate/", {"code": "ABCD-EFGH-2345"}).status_code == status
    assert client.post("/activate/", {"code": code}).status_code == 429
    assert Client(REMOTE_ADDR="10.0.0.9").post("/activate/", {"code": code}).status_code == 302
    assert Entry.objects.filter(action="activation.use", result="refused").count() == 5


def test_a_given_user_name_stays_and_a_taken_one_is_refused(waiting: User, person: MakeUser) -> None:
    person("taken", "school_officer")
    with pytest.raises(Conflict):
        activation.activate(code_of(waiting), PASSWORD, username="taken")
    with pytest.raises(BadInput):
        activation.activate(code_of(waiting), "password123")
    User.objects.filter(username="taken").update(username="renamed", first_username="taken")
    with pytest.raises(Conflict):  # the records of somebody else still say it
        activation.activate(code_of(waiting), PASSWORD, username="taken")
    User.objects.filter(pk=waiting.pk).update(may_choose_username=False)
    assert activation.activate(code_of(waiting), PASSWORD, username="other").username == waiting.username


def test_only_who_keeps_the_person_prints_and_renews(waiting: User, person: MakeUser) -> None:
    for act in (
        lambda: activation.make_sheets(STRANGER, [waiting.username]),
        lambda: activation.renew(STRANGER, waiting.username),
    ):
        with pytest.raises(NotFound):
            act()
    person("colleague", "district_officer")
    person("operator", "city_operator")
    for equal in ("colleague", "operator"):
        with pytest.raises(NotFound):
            activation.renew(KEEPER, equal)
    officer = Actor.in_role("o", "甲", "school_officer", Scope("school", DISTRICT, SCHOOL))
    with pytest.raises(Forbidden):
        activation.renew(officer, waiting.username)


@pytest.mark.parametrize(
    ("role", "place"),
    [
        ("school_officer", Scope("school", "110102", "2111020001")),
        ("district_officer", Scope("district", "110102")),
        ("district_officer", Scope("district", DISTRICT)),
    ],
)
def test_nobody_gets_into_roles_she_does_not_keep(waiting: User, role: str, place: Scope) -> None:
    code = code_of(waiting)
    services.open_grant(SYSTEM, waiting, role, place)
    with pytest.raises(NotFound):
        activation.make_sheets(KEEPER, [waiting.username])
    with pytest.raises((NotFound, Refused)):
        activation.renew(KEEPER, waiting.username)
    here = waiting.grants.get(role="school_officer", district_code=DISTRICT)
    services.close_grant(SYSTEM, here, "调走")
    with pytest.raises(NotFound):  # who went elsewhere is kept there
        activation.renew(KEEPER, waiting.username)
    assert activation.recognise(code) == waiting, "nothing was changed"
    assert activation.renew(Actor.in_role("a", "陈立", "city_admin", Scope("city")), waiting.username)


def test_who_has_left_is_shown_and_gets_no_code(waiting: User) -> None:
    activation.activate(code_of(waiting), PASSWORD)
    services.close_grant(SYSTEM, waiting.grants.get(), "离任")
    assert activation.find_managed(KEEPER, waiting.username) == waiting
    with pytest.raises(Refused) as refusal:
        activation.renew(KEEPER, waiting.username)
    assert refusal.value.code == "ALSO_ELSEWHERE"


def test_a_renewed_code_takes_the_old_password_away(client: Client, waiting: User) -> None:
    activation.activate(code_of(waiting), PASSWORD)
    assert client.post("/login/", {"username": waiting.username, "password": PASSWORD}).status_code == 302
    sheet = activation.renew(KEEPER, waiting.username)
    assert client.get("/sessions/").status_code == 302, "out at once"
    assert client.post("/login/", {"username": waiting.username, "password": PASSWORD}).status_code == 200
    activation.activate(sheet.code, "Houhai-Beiyan-7")
    assert (
        client.post("/login/", {"username": waiting.username, "password": "Houhai-Beiyan-7"})["Location"]
        == "/"
    )

"""Our side of the citizens' sign-on and Jingtong's, each written from docs/interfaces/jingtong.md."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from django.test import Client
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.support.channels_process import Jingtong, jingtong_running
from tests.support.families import NOBODY, OTHER, PHONE
from tests.unit.cards.conftest import City, city
from tests.unit.families.conftest import child, stranger
from xueka.contexts.families import api as families
from xueka.contexts.families.adapters import jingtong as adapter
from xueka.contexts.families.models import CitizenLink, FamilyAccount
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.sandbox.jingtong.provider import LIES, LOGOUT, challenge_of

__all__ = ["City", "child", "city", "stranger"]
pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:9"
BACK = f"{SITE}/parent/jingtong/back/"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jingtong]:
    with jingtong_running(tmp_path_factory.mktemp("jingtong")) as simulator:
        yield simulator


@pytest.fixture
def jingtong(house: Jingtong, settings: Settings) -> Jingtong:
    settings.JINGTONG_PARTNER = house.folder / "partner.json"
    house.dial(preset="none")
    adapter._known.clear()
    families.introduce(Actor.system("test"), SITE)
    return house


def come(jingtong: Jingtong, phone: str = PHONE, **more: bool) -> families.Citizen:
    asked = families.ask_sign_on(BACK)
    return families.hear_sign_on(asked, jingtong.come_back(asked.url, phone, **more), BACK)


def test_the_vector() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_citizen_comes_to_the_account_of_her_phone(
    jingtong: Jingtong, child: registry.Student, stranger: registry.Student
) -> None:
    citizen = come(jingtong)
    assert (citizen.phone, citizen.issuer) == (PHONE, jingtong.card["issuer"]) and citizen.openid
    link = families.sign_on(NOBODY, citizen)
    assert link is not None
    secret = families.begin_session(link.account, "10.0.0.1", "MicroMessenger", link)
    family = families.resume(secret, "10.0.0.1")
    assert family is not None and family.actor.scope.children == {child.id}
    assert (family.container, families.openid_of(family)) == ("jingtong", citizen.openid)
    assert citizen.subject.encode() not in bytes(CitizenLink.objects.get().envelope)

    again = families.sign_on(NOBODY, come(jingtong))
    assert again is not None and again.pk == link.pk and FamilyAccount.objects.count() == 1


def test_a_tile_asks_who_is_there_now(jingtong: Jingtong, child: registry.Student, client: Client) -> None:
    """The phone may have another citizen since: what the last one began is over."""
    link = families.sign_on(NOBODY, come(jingtong))
    assert link is not None
    secret = families.begin_session(link.account, "127.0.0.1", "", link)
    client.cookies["xk_family"] = secret
    answer = client.get("/parent/jingtong/?to=lost", headers={"host": "127.0.0.1"})
    assert answer.headers["Location"].startswith(jingtong.card["issuer"])
    assert families.resume(secret, "127.0.0.1") is None


def test_only_a_simulator_is_spoken_with_in_clear(
    jingtong: Jingtong, settings: Settings, tmp_path: Path
) -> None:
    real = tmp_path / "partner.json"
    real.write_text(json.dumps({**jingtong.card, "code": "jingtong"}), "utf-8")
    settings.JINGTONG_PARTNER = real
    with pytest.raises(families.SignOnFailed) as error:
        families.ask_sign_on(BACK)
    assert error.value.code == "SIGN_ON_SILENT"


def test_a_citizen_with_another_phone_comes_to_that_ones_account(
    jingtong: Jingtong, child: registry.Student, stranger: registry.Student
) -> None:
    citizen = come(jingtong)
    first = families.sign_on(NOBODY, citizen)
    moved = families.Citizen(citizen.issuer, citizen.subject, OTHER, citizen.openid)
    second = families.sign_on(NOBODY, moved)
    assert first and second and first.pk == second.pk
    assert families.as_actor(second.account).scope.children == {stranger.id}


def test_a_phone_of_nobodys_child_is_not_let_in(jingtong: Jingtong, child: registry.Student) -> None:
    assert families.sign_on(NOBODY, come(jingtong, "13911112222")) is None
    assert not FamilyAccount.objects.exists()


def test_who_refuses_is_not_signed_in_and_may_be_asked_again(jingtong: Jingtong) -> None:
    with pytest.raises(families.SignOnDeclined):
        come(jingtong, "13911110001", agree=False)
    asked = families.ask_sign_on(BACK, again=True)
    assert "prompt=consent" in asked.url
    assert families.hear_sign_on(asked, jingtong.come_back(asked.url, "13911110001"), BACK).phone


def test_who_is_not_verified_is_told_so(jingtong: Jingtong) -> None:
    with pytest.raises(families.SignOnFailed) as told:
        come(jingtong, "13911110002", basic=True)
    assert told.value.code == "SIGN_ON_LEVEL"


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_lets_anybody_in(jingtong: Jingtong, lie: str) -> None:
    come(jingtong)  # true as it is
    jingtong.dial(**{lie: 1})
    with pytest.raises(families.SignOnFailed) as told:
        come(jingtong)
    assert told.value.code in ("SIGN_ON_TOKEN", "SIGN_ON_PHONE")
    assert [each["kind"] for each in jingtong.get("faults")][-1] == lie


@pytest.mark.parametrize("fault", ["drop", "errors"])
def test_silence_lets_nobody_in(jingtong: Jingtong, fault: str) -> None:
    asked = families.ask_sign_on(BACK)
    answer = jingtong.come_back(asked.url, PHONE)
    jingtong.dial(**{fault: 1})
    with pytest.raises(families.SignOnFailed) as told:
        families.hear_sign_on(asked, answer, BACK)
    assert told.value.code == "SIGN_ON_SILENT"


def test_an_answer_of_another_browser_or_a_second_time_is_refused(jingtong: Jingtong) -> None:
    asked = families.ask_sign_on(BACK)
    answer = jingtong.come_back(asked.url, PHONE)
    with pytest.raises(families.SignOnFailed) as told:
        families.hear_sign_on(families.ask_sign_on(BACK), answer, BACK)
    assert told.value.code == "SIGN_ON_STATE"
    families.hear_sign_on(asked, answer, BACK)
    with pytest.raises(families.SignOnFailed):
        families.hear_sign_on(asked, answer, BACK)


def test_another_verifier_does_not_open_a_code(jingtong: Jingtong) -> None:
    asked = families.ask_sign_on(BACK)
    answer = jingtong.come_back(asked.url, PHONE)
    thief = families.Asked(asked.url, asked.state, asked.nonce, "x" * 64)
    with pytest.raises(families.SignOnFailed):
        families.hear_sign_on(thief, answer, BACK)


def make(key: RSAPrivateKey, jingtong: Jingtong, head: dict[str, str], **changes: object) -> str:
    """A logout token by the book; None takes a claim away."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": jingtong.card["issuer"], "sub": "s1", "aud": jingtong.card["client_id"], "iat": now,
        "exp": now + 60, "jti": "j1", "events": {LOGOUT: {}}, **changes,
    }  # fmt: skip
    left = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "typ": "logout+jwt", **head}, left, RSAKey.import_key(_pem(key)))


def _pem(key: RSAPrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def signing_key(jingtong: Jingtong) -> RSAPrivateKey:
    content = (jingtong.folder / "keys" / "signing.pem").read_bytes()
    found = serialization.load_pem_private_key(content, None)
    assert isinstance(found, RSAPrivateKey)
    return found


def test_who_leaves_jingtong_is_out_here_too(
    jingtong: Jingtong, child: registry.Student, live_server: LiveServer
) -> None:
    link = families.sign_on(NOBODY, come(jingtong))
    assert link is not None
    secret = families.begin_session(link.account, "127.0.0.1", "", link)
    own = families.begin_session(link.account, "127.0.0.1", "")
    families.introduce(Actor.system("test"), live_server.url.replace("localhost", "127.0.0.1"))
    with httpx.Client(base_url=jingtong.card["issuer"], trust_env=False) as browser:
        browser.cookies.update(browser.post("/come", data={"phone": PHONE}).cookies)
        assert "退出京通" in browser.get("/").text
        assert browser.post("/leave").status_code == 303
    assert families.resume(secret, "127.0.0.1") is None
    assert families.resume(own, "127.0.0.1") is not None, "that one is not Jingtong's"


def test_a_logout_token_ends_what_began_before_it_and_is_checked(
    jingtong: Jingtong, child: registry.Student, client: Client
) -> None:
    citizen = come(jingtong)
    link = families.sign_on(NOBODY, citizen)
    assert link is not None
    with clock.at(datetime.now(UTC)):  # tokens are judged by the real clock
        secret = families.begin_session(link.account, "127.0.0.1", "", link)
    key = signing_key(jingtong)

    def said(token: str) -> int:
        return client.post("/api/jingtong/logout", {"logout_token": token}).status_code

    now = int(time.time())
    wrong: list[dict[str, object]] = [
        {"nonce": "n"}, {"events": {}}, {"events": None}, {"iss": "https://other.example"}, {"aud": "other"},
        {"sub": None}, {"jti": None}, {"iat": now - 3600, "exp": now - 3000}, {"exp": now + 9999},
    ]  # fmt: skip
    for change in wrong:
        assert said(make(key, jingtong, {}, **{"sub": citizen.subject, **change})) == 400, change
    stranger = generate_private_key(public_exponent=65537, key_size=2048)
    assert said(make(stranger, jingtong, {}, sub=citizen.subject)) == 400
    assert said(make(key, jingtong, {"typ": "at+jwt"}, sub=citizen.subject)) == 400
    assert said("x") == 400 and said(make(key, jingtong, {}, sub="nobody")) == 200
    assert families.resume(secret, "127.0.0.1") is not None
    old = make(key, jingtong, {}, sub=citizen.subject, iat=now - 50)
    assert said(old) == 200 and families.resume(secret, "127.0.0.1") is not None
    assert said(make(key, jingtong, {}, sub=citizen.subject)) == 200
    assert families.resume(secret, "127.0.0.1") is None
    assert client.get("/api/jingtong/logout").status_code == 405


@pytest.mark.parametrize(
    ("aud", "azp", "good"),
    [
        (["xueka-parents"], None, True),
        (["xueka-parents", "other"], "xueka-parents", True),
        (["xueka-parents", "other"], None, False),
        (["xueka-parents", "other"], "other", False),
        ("xueka-parents", "other", False),
    ],
)
def test_a_token_for_several_says_to_whom_it_was_given(
    jingtong: Jingtong, aud: object, azp: str | None, good: bool
) -> None:
    token = make(signing_key(jingtong), jingtong, {}, aud=aud, azp=azp)
    if good:
        assert families.hear_over(token).subject == "s1"
        return
    with pytest.raises(families.SignOnFailed) as told:
        families.hear_over(token)
    assert told.value.code == "SIGN_ON_TOKEN"


def test_a_card_that_lacks_something_closes_the_door_and_says_so(
    jingtong: Jingtong, settings: Settings, tmp_path: Path, client: Client
) -> None:
    settings.JINGTONG_PARTNER = tmp_path / "partner.json"
    cards = [{name: value for name, value in jingtong.card.items() if name != lacking} for lacking in (
        "issuer", "client_id", "client_secret",
    )]  # fmt: skip
    for text in (*map(json.dumps, cards), "[]", '{"client_id": 5, "issuer": "", "client_secret": "x"}'):
        settings.JINGTONG_PARTNER.write_text(text, "utf-8")
        with pytest.raises(families.SignOnFailed) as told:
            families.ask_sign_on(BACK)
        assert told.value.code == "SIGN_ON_CLOSED"
        page = client.get("/parent/jingtong/?to=lost", headers={"host": "127.0.0.1"})
        assert (page.status_code, "还没有开通" in page.content.decode()) == (403, True)


def test_whom_nobody_answers_is_not_asked_again_at_once(
    jingtong: Jingtong, monkeypatch: pytest.MonkeyPatch
) -> None:
    jingtong.dial(drop=1)
    calls: list[str] = []
    true = adapter._json
    monkeypatch.setattr(adapter, "_json", lambda address: calls.append(address) or true(address))
    for _ in range(3):
        with pytest.raises(families.SignOnFailed) as told:
            families.ask_sign_on(BACK)
        assert told.value.code == "SIGN_ON_SILENT"
    assert len(calls) == 1
    jingtong.dial(drop=0)
    later = time.monotonic() + adapter._SILENT + 1
    monkeypatch.setattr(adapter.time, "monotonic", lambda: later)
    assert families.ask_sign_on(BACK).url and len(calls) == 3


def test_new_keys_of_jingtong_are_found(tmp_path: Path, settings: Settings, child: registry.Student) -> None:
    settings.JINGTONG_PARTNER = tmp_path / "partner.json"
    adapter._known.clear()
    with jingtong_running(tmp_path) as first:
        families.introduce(Actor.system("test"), SITE)
        come(first)
        port = str(first.card["port"])
    (tmp_path / "keys" / "signing.pem").unlink()
    (tmp_path / "partner.json").unlink()
    with jingtong_running(tmp_path, 1, "--port", port) as second:
        assert second.card["port"] == int(port)
        assert come(second).phone == PHONE

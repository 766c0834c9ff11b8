"""The partner interface: who may ask, what is answered, limits, repetition, words of refusals."""

import base64
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import resolve

from tests.unit.cards.conftest import NOW
from tests.unit.multiapp.conftest import ALL, ONE, SYSTEM, Partners, make_partners
from tests.unit.multiapp.test_hot_list import number, read, tick
from xueka.contexts.cards import api as cards
from xueka.contexts.multiapp import api as multiapp
from xueka.contexts.multiapp.models import ApiCall, CallDay, Credential, RememberedAnswer, Report
from xueka.contexts.multiapp.quality import QUALITY
from xueka.contexts.multiapp.services import credentials
from xueka.entrypoints.rest import partner, versions
from xueka.entrypoints.rest.versions import Deprecation
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.models import Entry

BASE = "/api/partner/v1"


class Partner:
    """A program of a partner."""

    def __init__(self, fresh: multiapp.FreshCredential) -> None:
        self.key_id = fresh.credential.key_id
        token = base64.b64encode(f"{self.key_id}:{fresh.secret}".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}"}
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str):
        return self.client.get(BASE + path, headers=self.headers | headers)

    def post(self, path: str, body: object, key: str | None = "key-00000001"):
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        content = body if isinstance(body, str) else json.dumps(body)
        return self.client.post(BASE + path, content, "application/json", headers=headers)

    def lines(self, path: str) -> tuple[list[str], dict[str, str]]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.content
        return read(b"".join(answer.streaming_content))


@pytest.fixture
def vendor(partners: Partners) -> Partner:
    partners.granted(partners.vendor.code)
    tick()
    return Partner(partners.credential(partners.vendor.code))


def code(answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    told = json.loads(answer.content)
    assert told["status"] == answer.status_code
    assert any("\u4e00" <= each <= "\u9fff" for each in told["title"])
    return answer.status_code, told["code"]


@pytest.mark.parametrize(
    "address", ["/api/partner/v1/nothing", "/api/partner/v2/me", "/api/agent/v1/nothing"]
)
def test_an_address_that_there_is_not_is_refused_as_everything_else(db: None, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    for answer in (client.get(address), client.post(address, "{}", "application/json")):
        assert code(answer) == (404, "ADDRESS_UNKNOWN")


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("post", "/api/partner/v1/me", "GET"),
        ("get", "/api/partner/v1/cards/validity", "POST"),
        ("delete", "/api/agent/v1/poll", "POST"),
    ],
)
def test_a_wrong_method_is_refused_as_everything_else(
    db: None, method: str, address: str, allowed: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = getattr(client, method)(address)
    assert code(answer) == (405, "METHOD_WRONG")
    assert (answer.headers["Allow"], answer.json()["expected"]) == (allowed, allowed)


def test_validity_of_own_cards_by_number_or_chip(partners: Partners, vendor: Partner) -> None:
    city = partners.city
    good, lost, gone = city.active(city.students(3))
    [waiting] = city.at_school(city.students(1))
    [stranger] = city.active(city.students(1, 1))
    cards.report_lost(SYSTEM, lost)
    cards.cancel(SYSTEM, gone, "离京")
    told = {
        each: vendor.get(f"/cards/{number(each)}/validity").json()["state"] for each in (good, lost, gone)
    }
    assert told == {good: "valid", lost: "lost", gone: "cancelled"}
    for name in (number(waiting), number(stranger), "000000000000"):
        assert vendor.get(f"/cards/{name}/validity").json()["state"] == "unknown"
    chip = cards.Card.objects.get(id=good).chip_uid
    assert vendor.get(f"/cards/{chip.lower()}/validity").json()["state"] == "valid"
    cards.Card.objects.filter(id=good).update(valid_until=NOW.date() - timedelta(days=1))
    answer = vendor.get(f"/cards/{number(good)}/validity")
    assert answer.json()["state"] == "expired"
    assert set(answer.json()) == {"number", "state", "checked_at"}


def test_an_etag_spares_the_answer_until_the_state_changes(partners: Partners, vendor: Partner) -> None:
    [card] = partners.city.active(partners.city.students(1))
    path = f"/cards/{number(card)}/validity"
    etag = vendor.get(path).headers["ETag"]
    assert vendor.get(path, **{"If-None-Match": etag}).status_code == 304
    cards.report_lost(SYSTEM, card)
    assert vendor.get(path, **{"If-None-Match": etag}).json()["state"] == "lost"


def test_the_hot_list_over_the_wire(partners: Partners, vendor: Partner) -> None:
    [card] = partners.city.active(partners.city.students(1))
    cards.report_lost(SYSTEM, card)
    tick()
    head, listed = vendor.lines("/hot-list")
    assert head[:2] == ["XKH1", "full"]
    assert listed == {number(card): "+lost"}
    version = vendor.get("/hot-list/state").json()["version"]
    assert head[2] == str(version)
    assert vendor.get("/hot-list", **{"If-None-Match": f'"full-{version}"'}).status_code == 304
    assert vendor.lines(f"/hot-list/changes?since={version}")[1] == {}
    assert code(vendor.get("/hot-list/changes?since=999")) == (410, "HOT_LIST_GAP")
    assert code(vendor.get("/hot-list/changes?since=x")) == (422, "REQUEST_INVALID")
    assert code(vendor.get("/hot-list/changes")) == (422, "REQUEST_INVALID")
    public = vendor.get("/hot-list/key")
    assert public.content == multiapp.public_key().to_pem()
    assert public.headers["Xueka-Fingerprint"] == multiapp.public_key().fingerprint


def test_who_is_not_known_is_refused_and_counted(partners: Partners, vendor: Partner) -> None:
    answer = Client().get(f"{BASE}/me")
    assert code(answer) == (401, "CREDENTIAL_WRONG")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    wrong = Partner(multiapp.FreshCredential(Credential.objects.get(), "wrong"))
    unknown = Partner(multiapp.FreshCredential(Credential(key_id="XP000000000000"), "wrong"))
    for _ in range(multiapp.WRONG_PER_MINUTE // 2):
        assert code(wrong.get("/me")) == code(unknown.get("/me")) == (401, "CREDENTIAL_WRONG")
    refused = wrong.get("/me")
    assert code(refused) == (429, "TOO_MANY")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert code(vendor.get("/me")) == (429, "TOO_MANY")  # the door is shut, also to a guess that is right
    with clock.at(NOW + timedelta(minutes=1)):
        assert vendor.get("/me").json()["unit"] == "晨光一卡通公司"


def test_of_many_guesses_at_once_no_more_are_tried_than_the_limit(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 at a time from one address; each that is compared with the stored secret is counted here."""
    with clock.at(NOW), transaction.atomic():
        partners = make_partners()
        key_id = multiapp.make_credential(ONE, partners.vendor.code, ALL).credential.key_id
    compared = []
    honest = credentials.hashed
    monkeypatch.setattr(credentials, "hashed", lambda *told: compared.append(told) or honest(*told))

    def guess(number: int) -> int:
        token = base64.b64encode(f"{key_id}:guess {number}".encode()).decode()
        with clock.at(NOW):
            try:
                return Client().get(f"{BASE}/me", headers={"Authorization": f"Basic {token}"}).status_code
            finally:
                connection.close()

    with ThreadPoolExecutor(12) as pool:
        answers = Counter(pool.map(guess, range(120)))
    assert answers == {401: multiapp.WRONG_PER_MINUTE, 429: 120 - multiapp.WRONG_PER_MINUTE}
    assert len(compared) == multiapp.WRONG_PER_MINUTE


def test_whatever_is_asked_is_answered_without_falling_over(partners: Partners, vendor: Partner) -> None:
    odd = [
        "Basic",
        "Basic !!!!",
        "Basic /////w==",
        "Bearer x",
        "Basic eA==",
        "",
        "Basic AAA6eA==",
        "Basic 6Jo6eA==",
    ]
    for header in odd:
        answer = Client(raise_request_exception=False).get(f"{BASE}/me", headers={"Authorization": header})
        assert code(answer) == (401, "CREDENTIAL_WRONG"), header
    for path in (
        "/cards/%00/validity",
        "/cards/%E5%8D%A1%E5%8F%B7%E5%8D%A1%E5%8F%B7/validity",
        "/cards/' OR 1=1/validity",
        "/hot-list/changes?since=99999999999999999999999",
        "/hot-list/changes?since=-1",
        "/hot-list/changes?since=%00",
    ):
        status, _ = code(vendor.get(path))
        assert status in (400, 410, 422), path


def test_a_secret_is_nowhere_kept(partners: Partners) -> None:
    fresh = partners.credential(partners.vendor.code)
    stored = Credential.objects.get()
    assert fresh.secret.encode() not in bytes(stored.secret)
    assert fresh.secret not in repr(fresh)
    assert not [each for each in Entry.objects.values() if fresh.secret in str(each)]


def test_rotation_overlaps_and_ends_by_itself(partners: Partners, vendor: Partner) -> None:
    with pytest.raises(Refused) as second:
        partners.credential(partners.vendor.code)
    assert second.value.code == "CREDENTIAL_ACTIVE"
    with transaction.atomic():
        new = Partner(multiapp.rotate_credential(ONE, vendor.key_id, overlap_days=7))
    assert vendor.get("/me").status_code == new.get("/me").status_code == 200
    with clock.at(NOW + timedelta(days=8)):
        assert code(vendor.get("/me")) == (401, "CREDENTIAL_WRONG")
        assert new.get("/me").status_code == 200
        assert multiapp.end_credentials(SYSTEM) == 1
    assert multiapp.credential(ONE.scope, vendor.key_id).state == "ended"
    multiapp.revoke_credential(ONE, new.key_id, "泄露")
    assert code(new.get("/me")) == (401, "CREDENTIAL_WRONG")


def test_scopes_and_grants_bind(partners: Partners) -> None:
    partners.granted(partners.vendor.code)
    only = Partner(multiapp.make_credential(ONE, partners.vendor.code, ["partner:card:check"]))
    assert only.get("/cards/000000000000/validity").status_code == 200
    for path in ("/hot-list", "/hot-list/state", "/hot-list/changes?since=0"):
        assert code(only.get(path)) == (403, "PERMISSION_DENIED")
    assert code(only.post("/hot-list/reports", {"version": 0, "devices": 1})) == (403, "PERMISSION_DENIED")
    without = Partner(partners.credential(partners.unit.code))
    assert code(without.get("/cards/000000000000/validity")) == (403, "NO_GRANT")
    assert without.get("/me").json()["grants"] == []


def test_the_limit_is_one_for_all(partners: Partners) -> None:
    partners.granted(partners.vendor.code)
    slow = Partner(partners.credential(partners.vendor.code, per_minute=3))
    left = [slow.get("/me").headers["Xueka-Calls-Left"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    assert code(slow.get("/me")) == (429, "TOO_MANY")
    with clock.at(NOW + timedelta(minutes=1)):
        assert slow.get("/me").status_code == 200


def test_a_post_repeated_is_answered_once_made(partners: Partners, vendor: Partner) -> None:
    [card] = partners.city.active(partners.city.students(1))
    asked = {"numbers": [number(card), "000000000000"]}
    first = vendor.post("/cards/validity", asked)
    assert [each["state"] for each in first.json()["answers"]] == ["valid", "unknown"]
    cards.report_lost(SYSTEM, card)
    assert vendor.post("/cards/validity", asked).json() == first.json()
    assert code(vendor.post("/cards/validity", {"numbers": ["000000000000"]})) == (
        409,
        "IDEMPOTENCY_KEY_USED",
    )
    assert vendor.post("/cards/validity", asked, "key-00000002").json()["answers"][0]["state"] == "lost"
    for key in (None, "short", "with blank s"):
        assert code(vendor.post("/cards/validity", asked, key)) == (400, "IDEMPOTENCY_KEY")
    report = {"version": 0, "devices": 12, "behind": 2}
    assert vendor.post("/hot-list/reports", report, "key-00000003").json()["version"] == 0
    vendor.post("/hot-list/reports", report, "key-00000003")
    assert Report.objects.count() == 1
    wrong = vendor.post("/hot-list/reports", {"version": 99, "devices": 1}, "key-00000004")
    assert code(wrong) == (409, "REPORT_VERSION")
    more = vendor.post("/hot-list/reports", {"version": 0, "devices": 4, "behind": 20}, "key-00000005")
    assert code(more) == (400, "REPORT_DEVICES")
    assert not RememberedAnswer.objects.filter(key="key-00000004").exists()


def test_what_cannot_be_read_is_said_in_words(partners: Partners, vendor: Partner) -> None:
    for body in ("", "{", "[]", '{"numbers": []}', '{"numbers": 1}', '{"numbers": ["x;y"]}', "\x00"):
        status, _ = code(vendor.post("/cards/validity", body))
        assert status in (400, 422), body


def test_a_body_that_is_too_large_is_not_read(partners: Partners, vendor: Partner) -> None:
    assert code(vendor.post("/cards/validity", "x" * 70_000)) == (413, "BODY_TOO_LARGE")


def test_plain_http_from_elsewhere_is_refused(partners: Partners, vendor: Partner) -> None:
    answer = Client(REMOTE_ADDR="10.1.2.3").get(f"{BASE}/me", headers=vendor.headers)
    assert code(answer) == (403, "TLS_REQUIRED")


def test_calls_are_on_record_and_summed_up_by_day(partners: Partners, vendor: Partner) -> None:
    [card] = partners.city.active(partners.city.students(1))
    vendor.get(f"/cards/{number(card)}/validity")
    vendor.get("/hot-list/changes?since=999")
    lines = ApiCall.objects.order_by("id").values_list("what", "status", "outcome", "card_id")
    assert list(lines) == [
        ("validity", 200, "valid", card),
        ("hot_list_changes", 410, "HOT_LIST_GAP", None),
    ]
    taken = QUALITY.taken(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    assert [dict(each) for each in taken.values()] == [{"valid": (1, 2)}]
    assert next(iter(taken)).startswith("unit-")
    assert multiapp.sum_up(SYSTEM) == 0
    with clock.at(NOW + timedelta(days=1)):
        assert multiapp.sum_up(SYSTEM) == 1
        assert multiapp.sum_up(SYSTEM) == 0
    day = CallDay.objects.get()
    assert (day.calls, day.counts) == (2, {"validity valid": 1, "hot_list_changes HOT_LIST_GAP": 1})
    assert Entry.objects.get(action="partner_calls.sum").detail["sm3"] == day.digest
    assert multiapp.day_digest(day.credential_id, day.day)[2] == day.digest
    with clock.at(NOW + timedelta(days=200)):
        assert multiapp.forget(SYSTEM) == 2


def test_the_interface_describes_itself_without_addresses_from_outside(db: None) -> None:
    schema = Client().get(f"{BASE}/openapi.json").content.decode()
    assert "http://" not in schema
    assert "https://" not in schema
    page = Client().get(f"{BASE}/docs").content.decode()
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)
    operations = {
        told["operationId"]: (path, method, told)
        for path, methods in json.loads(schema)["paths"].items()
        for method, told in methods.items()
    }
    for name, (path, method, told) in operations.items():
        assert path in page and "deprecated" not in told
        assert "停用中" not in page
        address = re.sub(r"{.*?}", "1", f"{BASE}{path.removeprefix(BASE)}")
        assert resolve(address).url_name == name  # so the table of deprecations finds it
        keys = [each["name"] for each in told.get("parameters", ()) if each["in"] == "header"]
        assert ("Idempotency-Key" in keys) == (method != "get")


def test_what_is_on_its_way_out_says_so_in_every_answer(
    partners: Partners, vendor: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    [card] = partners.city.active(partners.city.students(1))
    ends = Deprecation(date(2027, 1, 1), date(2028, 6, 30), "第 2 版的 /validity")
    monkeypatch.setattr(partner.api, "deprecations", {"validity": ends})
    answer = vendor.get(f"/cards/{number(card)}/validity")
    refused = Client().get(f"{BASE}/cards/1/validity")
    assert (answer.status_code, refused.status_code) == (200, 401)
    for each in (answer, refused):
        assert each.headers["Deprecation"] == "@1798732800"  # the first second of the day in Beijing
        assert each.headers["Sunset"] == "Fri, 30 Jun 2028 16:00:00 GMT"
        [link] = re.findall(r'<(http://testserver[^>]+)>; rel="deprecation"', each.headers["Link"])
        assert "停用中" in Client().get(link).content.decode()
    assert not {"Deprecation", "Sunset", "Link"} & set(vendor.get("/me").headers)
    paths = Client().get(f"{BASE}/openapi.json").json()["paths"]
    marked = [told for methods in paths.values() for told in methods.values() if told.get("deprecated")]
    assert [each["operationId"] for each in marked] == ["validity"]
    assert "2028-06-30" in marked[0]["description"]


def test_nothing_ends_without_a_year_of_notice() -> None:
    assert not versions.PARTNER  # §10 of the page says so; whoever declares one changes both
    for until, instead in ((date(2027, 12, 30), "x"), (date(2028, 12, 31), "")):
        with pytest.raises(ValueError):
            Deprecation(date(2027, 1, 1), until, instead)


@pytest.mark.parametrize(
    ("broken", "told"), [(OperationalError, "DATABASE_AWAY"), (ZeroDivisionError, "INTERNAL")]
)
def test_our_own_failure_is_told_to_a_program_in_its_manner(
    vendor: Partner, monkeypatch: pytest.MonkeyPatch, broken: type[Exception], told: str
) -> None:
    def fail(*_: object) -> None:
        raise broken

    monkeypatch.setattr(multiapp, "head", fail)
    answer = vendor.get("/hot-list/state")
    assert code(answer) == (503 if broken is OperationalError else 500, told)
    assert answer.headers.get("Retry-After", "") == ("10" if broken is OperationalError else "")

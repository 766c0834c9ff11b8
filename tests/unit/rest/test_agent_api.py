"""The agent interface over HTTP: signatures, forms, limits, and nothing of the portals' rules."""

import base64
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from tests.unit.cards.conftest import NOW, build
from tests.unit.personalization.conftest import CLERK, FIRST, READER, Counter, in_force
from xueka.contexts.keys import api as keys
from xueka.contexts.personalization import api as personalization
from xueka.contexts.personalization.models import Agent, Nonce
from xueka.contexts.personalization.services import handing_out
from xueka.entrypoints.rest import agent as agent_interface
from xueka.entrypoints.rest.signatures import text
from xueka.kernel import clock
from xueka.kernel.errors import Refused

PREFIX = "/api/agent/v1"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
NINE = [{"name": str(number), "state": "empty"} for number in range(9)]
IDLE = {"version": "0.1.0", "readers": [{"name": READER, "state": "empty", "atr": ""}], "printers": []}


class Hand:
    """Sends signed requests; each part of the signature can be made wrong."""

    def __init__(self, agent: Agent) -> None:
        self.agent, self.client = agent, Client(enforce_csrf_checks=True)

    def post(
        self, path: str, body: Any, *, key: Ed25519PrivateKey = KEY, **wrong: str
    ) -> tuple[int, dict[str, Any]]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "agent": self.agent.code,
            "timestamp": str(int(clock.now().timestamp())),
            "nonce": os.urandom(16).hex(),
            "signed_path": PREFIX + path,
            **wrong,
        }
        signed = key.sign(text("POST", given["signed_path"], given["timestamp"], given["nonce"], content))
        headers = {
            "Xueka-Agent": given["agent"],
            "Xueka-Timestamp": given["timestamp"],
            "Xueka-Nonce": given["nonce"],
            "Xueka-Signature": given.get("signature", base64.b64encode(signed).decode()),
        }
        answer = self.client.post(PREFIX + path, content, content_type="application/json", headers=headers)
        if answer.status_code >= 400:
            assert answer["Content-Type"].startswith("application/problem+json"), answer.content
        return answer.status_code, answer.json()


@pytest.fixture
def hand(db: None, settings: Any) -> Iterator[Hand]:
    settings.AGENT_POLL_HOLD = 0
    cache.clear()
    with clock.at(NOW), transaction.atomic():
        code, _ = personalization.make_code(FIRST)
        agent = personalization.enrol(code, "一号柜台", PUBLIC, "0.1.0", "127.0.0.1")
        yield Hand(agent)


def test_the_example_of_the_document() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/interfaces/issuing-agent.md").read_text("utf-8")
    body = b'{"version":"0.1.0","readers":[],"printers":[]}'
    seed = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    made = seed.sign(text("POST", f"{PREFIX}/poll", "1760000000", bytes(range(16)).hex(), body))
    assert base64.b64encode(made).decode() in page
    assert base64.b64encode(seed.public_key().public_bytes_raw()).decode() in page


def test_enrolling_over_http(hand: Hand) -> None:
    with transaction.atomic():
        code, _ = personalization.make_code(FIRST)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    body = {"code": code, "name": "二号", "public_key": base64.b64encode(other).decode(), "version": "0.1.0"}
    answer = hand.client.post(f"{PREFIX}/enrol", json.dumps(body), content_type="application/json")
    assert answer.status_code == 200 and answer.json()["poll_seconds"] == 5
    assert Agent.objects.get(code=answer.json()["agent"]).name == "二号"
    wrong = hand.client.post(
        f"{PREFIX}/enrol", json.dumps({**body, "code": "AAAA"}), content_type="application/json"
    )
    assert wrong.status_code == 403 and wrong.json()["code"] == "CODE_WRONG"


def test_guessing_codes_ends(hand: Hand) -> None:
    body = json.dumps({"code": "AAAA", "name": "x", "public_key": "A" * 44, "version": "0.1.0"})
    seen = [hand.client.post(f"{PREFIX}/enrol", body, content_type="application/json") for _ in range(11)]
    assert [answer.status_code for answer in seen] == [403] * 10 + [429]
    assert seen[-1]["Retry-After"] == "60" and seen[-1].json()["code"] == "TOO_MANY"


def test_a_count_that_the_cache_drops_is_no_failure(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may expire, or be culled, between two statements."""
    monkeypatch.setattr(cache, "add", lambda *args, **kwargs: True)
    body = json.dumps({"code": "AAAA", "name": "x", "public_key": "A" * 44, "version": "0.1.0"})
    answer = hand.client.post(f"{PREFIX}/enrol", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "CODE_WRONG")


def test_guessing_may_begin_again_in_the_next_minute(hand: Hand) -> None:
    body = json.dumps({"code": "AAAA", "name": "x", "public_key": "A" * 44, "version": "0.1.0"})
    for _ in range(11):
        answer = hand.client.post(f"{PREFIX}/enrol", body, content_type="application/json")
    assert answer.status_code == 429
    with clock.at(NOW + timedelta(minutes=1)):
        answer = hand.client.post(f"{PREFIX}/enrol", body, content_type="application/json")
    assert answer.status_code == 403


def test_what_cannot_be_prepared_is_tried_once_a_poll(
    hand: Hand, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.make_demo_keys()
    counter = Counter(build(), hand.agent, in_force("bjt_student-1.0.toml"))
    hand.post("/poll", IDLE)
    session = personalization.open_session(CLERK, counter.ordered(), hand.agent.pk, READER)
    tried = []

    def closed(*args: object, **kwargs: object) -> object:
        tried.append(args)
        raise Refused("KEY_AUDIT", "审计日志写不进去，不能使用密钥。")

    monkeypatch.setattr(handing_out, "prepare", closed)
    monkeypatch.setattr(agent_interface, "_LOOK_EVERY", 0.01)
    settings.AGENT_POLL_HOLD = 0.1
    card = {**IDLE, "readers": [{"name": READER, "state": "card", "atr": "3b68"}]}
    assert hand.post("/poll", card) == (200, {"work": None, "poll_seconds": 5})
    assert len(tried) == 1
    session.refresh_from_db()
    assert (session.state, session.message) == ("waiting", "审计日志写不进去，不能使用密钥。")
    hand.post("/poll", card)
    assert len(tried) == 2, "the next poll tries anew"


def test_a_poll_and_what_is_kept_of_it(hand: Hand) -> None:
    assert hand.post("/poll", IDLE) == (200, {"work": None, "poll_seconds": 5})
    [reader] = personalization.readers(hand.agent.pk)
    assert (reader.name, reader.state, reader.away) == (READER, "empty", False)


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"agent": "a-nobody"}, 401, "AGENT_UNKNOWN"),
        ({"agent": ""}, 401, "AGENT_UNKNOWN"),
        ({"signed_path": "/api/agent/v1/other"}, 401, "SIGNATURE_WRONG"),
        ({"signature": base64.b64encode(bytes(64)).decode()}, 401, "SIGNATURE_WRONG"),
        ({"signature": "***"}, 401, "SIGNATURE_WRONG"),
        ({"nonce": "short"}, 401, "SIGNATURE_WRONG"),
        ({"timestamp": "now"}, 401, "SIGNATURE_WRONG"),
        ({"timestamp": "1"}, 401, "CLOCK_SKEW"),
    ],
)
def test_requests_that_prove_nothing(hand: Hand, wrong: dict[str, str], status: int, code: str) -> None:
    found, body = hand.post("/poll", IDLE, **wrong)
    assert (found, body["code"]) == (status, code)
    assert not Nonce.objects.exists()


def test_another_key_an_altered_body_and_a_second_use(hand: Hand) -> None:
    assert hand.post("/poll", IDLE, key=Ed25519PrivateKey.generate())[1]["code"] == "SIGNATURE_WRONG"
    nonce = os.urandom(16).hex()
    assert hand.post("/poll", IDLE, nonce=nonce)[0] == 200
    status, body = hand.post("/poll", IDLE, nonce=nonce)
    assert (status, body["code"]) == (401, "NONCE_USED")
    skew = hand.post("/poll", IDLE, timestamp="1")[1]
    assert skew["server_time"] == int(NOW.timestamp())


@pytest.mark.parametrize(
    ("body", "status", "code", "where"),
    [
        (b"{", 400, "BODY_UNREADABLE", ""),
        (b"[]", 422, "BODY_INVALID", ""),
        ({"version": "1"}, 422, "BODY_INVALID", "readers"),
        ({**IDLE, "readers": [{"name": READER, "state": "full"}]}, 422, "BODY_INVALID", "state"),
        ({**IDLE, "readers": [{"name": READER, "state": "card", "atr": "XY"}]}, 422, "BODY_INVALID", "atr"),
        ({**IDLE, "readers": NINE}, 422, "BODY_INVALID", "readers"),
        (b'{"version":"' + b"1" * 70_000 + b'"}', 413, "BODY_TOO_LARGE", ""),
        ({**IDLE, "version": "0.0.9"}, 426, "AGENT_TOO_OLD", ""),
    ],
)  # fmt: skip
def test_bodies_that_are_not_as_the_document_says(
    hand: Hand, body: Any, status: int, code: str, where: str
) -> None:
    found, problem = hand.post("/poll", body)
    assert (found, problem["code"]) == (status, code)
    assert where in problem.get("where", "")
    assert all(ord(c) > 0x2E80 for c in problem["title"][:2]), "people read it in Chinese"


def test_a_blocked_agent_is_told_so(hand: Hand) -> None:
    with transaction.atomic():
        personalization.block(FIRST, hand.agent.pk, "电脑丢失")
    assert hand.post("/poll", IDLE)[1]["code"] == "AGENT_BLOCKED"


def test_sessions_and_jobs_of_nobody(hand: Hand) -> None:
    report = {"outcome": "done", "atr": "", "answers": []}
    for path in ("/sessions/1/runs/1-1", "/sessions/x/runs/1", "/sessions/99999999999999999999/runs/1"):
        assert hand.post(path, report)[1]["code"] == "SESSION_UNKNOWN"
    assert hand.post("/print-jobs/7", {"state": "printed"})[1]["code"] == "JOB_UNKNOWN"
    assert hand.post("/sessions/1/runs/1-1", {**report, "outcome": "fine"})[0] == 422


def test_a_session_of_another_agent_is_not_found(hand: Hand) -> None:
    keys.make_demo_keys()
    counter = Counter(build(), hand.agent, in_force("bjt_student-1.0.toml"))
    hand.post("/poll", IDLE)
    session = personalization.open_session(CLERK, counter.ordered(), hand.agent.pk, READER)
    card = {"name": READER, "state": "card", "atr": "3b68"}
    status, answer = hand.post("/poll", {**IDLE, "readers": [card]})
    assert status == 200 and answer["work"]["session"] == str(session.pk)
    code, _ = personalization.make_code(FIRST)
    key = Ed25519PrivateKey.generate()
    other = Hand(personalization.enrol(code, "二号", key.public_key().public_bytes_raw(), "0.1.0", ""))
    path = f"/sessions/{session.pk}/runs/{answer['work']['run']['run']}"
    report = {"outcome": "pulled", "atr": "3b68", "answers": []}
    assert other.post(path, report, key=key)[1]["code"] == "SESSION_UNKNOWN"
    status, told = hand.post(path, report)
    assert (status, told["next"], told["state"]) == (200, None, "running")
    assert "放回" in told["message"]


def test_the_portals_rules_do_not_reach_it_and_its_freedom_not_the_portals(hand: Hand) -> None:
    assert hand.client.get(f"{PREFIX}/poll").status_code == 405
    assert hand.client.post(f"{PREFIX}/poll", b"{}", content_type="application/json").status_code == 401
    assert "sessionid" not in hand.client.cookies and "csrftoken" not in hand.client.cookies
    assert hand.client.post("/login/", {"username": "x"}).status_code == 403, "CSRF holds everywhere else"


def test_the_page_of_the_interface_has_nothing_from_outside(hand: Hand) -> None:
    page = hand.client.get(f"{PREFIX}/docs")
    assert page.status_code == 200
    shown = page.content.decode()
    assert "/poll" in shown and "领取工作" in shown
    assert "http://" not in shown.replace("http://www.w3.org", "") and "https://" not in shown
    schema = hand.client.get(f"{PREFIX}/openapi.json").json()
    assert set(schema["paths"]) == {
        f"{PREFIX}/enrol", f"{PREFIX}/poll", f"{PREFIX}/sessions/{{session}}/runs/{{run}}",
        f"{PREFIX}/print-jobs/{{job}}",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"version": "²"}, {"public_key": "钥" * 44}, {"name": "a\0b"}])
def test_an_odd_enrolment_is_refused(hand: Hand, wrong: dict[str, str]) -> None:
    with transaction.atomic():
        code, _ = personalization.make_code(FIRST)
    body = {"code": code, "name": "二号", "public_key": "A" * 44, "version": "0.1.0", **wrong}
    answer = hand.client.post(f"{PREFIX}/enrol", json.dumps(body), content_type="application/json")
    assert answer.status_code == 422, answer.content


@pytest.mark.parametrize(
    "odd",
    [
        {"readers": [{"name": "a\0", "state": "empty"}]},
        {"printers": [{"name": "a", "state": "idle", "message": "\0"}]},
        {"version": "1.²"},
    ],
)
def test_an_odd_poll_is_refused(hand: Hand, odd: dict[str, Any]) -> None:
    status, answer = hand.post("/poll", {**IDLE, **odd})
    assert (status, answer["code"]) == (422, "BODY_INVALID")


def test_a_reader_that_is_named_twice_is_one(hand: Hand) -> None:
    twice = [{"name": READER, "state": "empty"}, {"name": READER, "state": "mute"}]
    hand.agent.readers.all().delete()
    assert hand.post("/poll", {**IDLE, "readers": twice})[0] == 200
    assert [each.state for each in personalization.readers(hand.agent.pk)] == ["mute"]

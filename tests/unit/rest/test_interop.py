"""The door of the counterparts: what it keeps, what it refuses and how it says so."""

import hashlib
import json
from typing import Any

import pytest
from django.test import Client

from tests.unit.platform.exchange.conftest import CODE, OURS, Other, other
from tests.unit.platform.exchange.test_receiving import headers, message
from xueka.platform.exchange.models import Incoming, IncomingFile

__all__ = ["other"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("other")]
AT = f"/api/interop/v1/{CODE}"


def send(raw: bytes, given: dict[str, str], address: str = f"{AT}/messages", verb: str = "post") -> Any:
    return getattr(Client(), verb)(address, raw, content_type="application/json", headers=given)


def test_kept_and_known_again() -> None:
    raw = message(1)
    first, again = send(raw, headers(raw)), send(raw, headers(raw))
    assert (first.status_code, first.json()) == (202, {"id": "msg_0001", "again": False, "expected": 1})
    assert (again.status_code, again.json()["again"]) == (200, True)
    assert Incoming.objects.get().times == 2


def test_refusals_are_problems_and_keep_nothing() -> None:
    raw = message(1)
    wrong = message(1, kind="?")
    for answer, status, code in (
        (send(raw, {}), 401, "SIGNATURE_MISSING"),
        (send(raw, headers(raw, key=OURS)), 401, "SIGNATURE_WRONG"),
        (send(raw, headers(raw) | {"webhook-timestamp": "1"}), 401, "TIMESTAMP_WRONG"),
        (send(wrong, headers(wrong)), 400, "BODY_WRONG"),
        (send(raw, headers(raw), "/api/interop/v1/nobody/messages"), 404, "COUNTERPART_UNKNOWN"),
        (send(raw, headers(raw), f"{AT}/other"), 404, "ADDRESS_UNKNOWN"),
        (send(b"", {}, verb="get"), 405, "METHOD_WRONG"),
        (send(b"x" * 70_000, {}), 413, "BODY_TOO_LARGE"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer["Content-Type"].startswith("application/problem+json")
    assert not Incoming.objects.exists()


def test_a_file() -> None:
    content = json.dumps({"rows": ["x" * 90_000]}).encode()
    digest = hashlib.sha256(content).hexdigest()
    signed = headers(content, "file_1")
    assert send(content, signed, f"{AT}/files/{digest}", "put").status_code == 201
    assert send(content, signed, f"{AT}/files/{digest}", "put").status_code == 200
    assert send(content, signed, f"{AT}/files/{'0' * 64}", "put").json()["code"] == "FILE_DIGEST"
    assert IncomingFile.objects.get().file.sealed


def test_whoever_is_refused_too_often_is_put_off(other: Other) -> None:
    raw = message(1)
    answers = [send(raw, {}).status_code for _ in range(63)]
    assert answers[0] == 401 and answers[-1] == 429

"""A counterpart that signs by SM2 alone, as a process: what goes, what comes, what either refuses."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client

from tests.support.channels_process import Exchange, exchange_running
from tests.unit.interop.conftest import CODE, LIMITS, send
from xueka.platform.exchange import codes, own_keys
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.models import Attempt, Incoming, Outgoing
from xueka.platform.exchange.services import post
from xueka.platform.exchange.signatures import Keys, secret, sign

pytestmark = pytest.mark.django_db
STRANGER = Keys((secret("whsec_" + "c3RyYW5nZXIncyBzZWNyZXQgb2Ygc29tZSBieXRlcw=="),))


@pytest.fixture
def platform(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    settings.EXCHANGE_PARTNERS = tmp_path
    monkeypatch.setattr(own_keys, "keys_directory", lambda: tmp_path / "own")
    given = ("--sign", "v1sm2", "--notices", "pull", "--limits", LIMITS)
    with exchange_running(tmp_path / CODE, 1, *given) as found:
        yield found


def register(platform: Exchange) -> None:
    """What its engineers do with the file that they were handed."""
    [ours] = own_keys.signing(CODE)
    folder = platform.folder / "city"
    folder.mkdir()
    (folder / "xueka.pub.pem").write_bytes(ours.public.to_pem())


def letters(platform: Exchange) -> list[tuple[dict[str, Any], dict[str, str], Any]]:
    """Its letters, carried to our door: the message, its headers, what was answered."""
    found = []
    for each in platform.get("notices?all=1"):
        body = base64.b64decode(each["body"])
        headers = {name: value for name, value in each["headers"].items() if name.startswith("webhook-")}
        door = urlsplit(each["url"]).path
        answer = Client().post(door, body, content_type="application/json", headers=headers)
        platform.post(f"notices/{each['id']}", status=answer.status_code, body="")
        found.append((json.loads(body), headers, answer))
    return found


def test_what_goes_is_signed_by_sm2_alone_and_waits_for_whoever_does_not_know_the_key(
    platform: Exchange,
) -> None:
    post(CODE, "card.status", "card:1", {"card": "1"})
    send(1)
    refused = Attempt.objects.get()
    assert (refused.status, refused.code) == (401, codes.SIGNATURE) and "SIGNATURE_WRONG" in refused.said
    register(platform)
    send(3)
    assert Outgoing.objects.get().state == "delivered"
    assert [each["key"] for each in platform.get("applied")] == ["card:1"]

    partner, stamp = counterpart(CODE), int(time.time())
    assert not partner.sending.secrets and len(partner.sending.private) == 1
    for signed in (
        sign("msg_0001", stamp, b"{}", STRANGER),
        sign("msg_0001", stamp, b"{ }", partner.sending),
    ):
        headers = {"webhook-id": "msg_0001", "webhook-timestamp": str(stamp), "webhook-signature": signed}
        answer = httpx.post(f"{partner.base}/messages", content=b"{}", headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE_WRONG")


def test_what_comes_is_signed_by_sm2_alone_and_a_strangers_signature_is_refused(platform: Exchange) -> None:
    platform.dial(forged=1)
    platform.post("send", kind="card.note", key="card:1", data={"n": 1})
    told = letters(platform)
    answers = {answer.status_code: answer for _, _, answer in told}
    assert len(told) == 2 and set(answers) == {202, 401}
    assert answers[401].json()["code"] == "SIGNATURE_WRONG"
    for _, headers, _ in told:  # also the stranger's has one, and it is well formed
        [one] = headers["webhook-signature"].split(" ")
        version, _, text = one.partition(",")
        assert version == "v1sm2" and base64.b64decode(text, validate=True)[0] == 0x30
    assert Incoming.objects.get().headers["webhook-signature"].startswith("v1sm2,")

"""The message gateway's simulator against docs/interfaces/messages.md."""

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from xueka.sandbox.messages.__main__ import House, parser

PHONE = "13800000000"
BODY = '{"key":"m-1","to":"13800000000","template":"LOGIN_CODE","values":{"code":"123456","minutes":"5"}}'
DAY = "2026-11-26T10:00:00+08:00"


class Sender:
    """A sender's hand, written from the document."""

    def __init__(self, card: dict[str, Any], client: httpx.Client) -> None:
        self.card, self.client = card, client

    def call(self, method: str, target: str, body: Any = None, **headers: str) -> httpx.Response:
        content = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
        stamp, nonce = headers.pop("stamp", str(int(time.time()))), headers.pop("nonce", secrets.token_hex(8))
        digest = hashlib.sha256(content).hexdigest()
        text = f"{method}\n{target}\n{stamp}\n{nonce}\n{digest}\n"
        signed = {
            "X-Sms-App": self.card["app"],
            "X-Sms-Timestamp": stamp,
            "X-Sms-Nonce": nonce,
            "X-Sms-Signature": mac(self.card["secret"], text),
            **headers,
        }
        answer = self.client.request(method, target, content=content, headers=signed)
        told = hashlib.sha256(answer.content).hexdigest()
        given = answer.headers
        text = f"{answer.status_code}\n{given['X-Sms-Timestamp']}\n{given['X-Sms-Nonce']}\n{told}\n"
        assert given["X-Sms-Signature"] == mac(self.card["secret"], text)
        return answer

    def send(self, key: str, to: str = PHONE, template: str = "LOGIN_CODE", **more: Any) -> httpx.Response:
        values = {"code": "123456", "minutes": "5"}
        return self.call(
            "POST", "/v1/messages", {"key": key, "to": to, "template": template, "values": values, **more}
        )

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.card['control_token']}"}
        answer = self.client.request(method, f"/_sim/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


def mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@contextmanager
def gateway(home: Path, *options: str) -> Iterator[Sender]:
    house = House(parser().parse_args(["--home", str(home), "--seed", "7", *options]))
    house.start()
    try:
        card = json.loads(house.card.read_text("utf-8"))
        with httpx.Client(base_url=card["base"], trust_env=False, timeout=20) as client:
            yield Sender(card, client)
    finally:
        house.stop()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with gateway(tmp_path) as made:
        made.sim("POST", "clock", {"now": DAY})
        text = "您的验证码是{code}，{minutes}分钟内有效。"
        assert made.call("PUT", "/v1/templates/LOGIN_CODE", {"text": text}).json()["state"] == "approved"
        yield made


def test_published_vector():
    digest = hashlib.sha256(BODY.encode()).hexdigest()
    assert digest == "206d0c1eceeed46deeebf6fd9f103cda6e899f02c3cf84853b8aa55b44f76108"
    text = f"POST\n/v1/messages\n1766710800\nn0123456789abcdef\n{digest}\n"
    assert (
        mac("xueka-test-secret", text) == "403fee92ac1e3c2c0776c9edfc4f41e80fe0d31c8dfe2074f6e6184a6f927626"
    )


def test_a_message_arrives_on_the_phone(sender):
    made = sender.send("m-1")
    assert (made.status_code, made.json()["state"], made.json()["parts"]) == (202, "accepted", 1)
    assert sender.client.get(f"/phones/{PHONE}.json").json() == {"messages": []}
    sender.sim("POST", "clock", {"now": "2026-11-26T10:00:01+08:00"})
    (found,) = sender.client.get(f"/phones/{PHONE}.json").json()["messages"]
    assert found["text"] == "【学卡】您的验证码是123456，5分钟内有效。"
    assert "123456" in sender.client.get(f"/phones/{PHONE}").text
    assert PHONE in sender.client.get("/phones").text
    by_id = sender.call("GET", f"/v1/messages/{made.json()['message_id']}").json()
    assert by_id == sender.call("GET", "/v1/messages?key=m-1").json()
    assert by_id["state"] == "delivered" and by_id["ended_at"] == "2026-11-26T10:00:01+08:00"
    (told,) = sender.call("GET", "/v1/reports?after=0&limit=10").json()["reports"]
    assert (told["key"], told["state"]) == ("m-1", "delivered")


def test_a_key_is_sent_once(sender):
    first = sender.send("m-1")
    again = sender.send("m-1")
    assert (again.status_code, again.json()["message_id"]) == (200, first.json()["message_id"])
    assert sender.send("m-1", to="13900000000").json()["code"] == "KEY_REUSED"
    assert len(sender.sim("GET", "messages")) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "123"}, "TO_INVALID"),
        ({"template": "NONE"}, "TEMPLATE_UNKNOWN"),
        ({"values": {"code": "1"}}, "VALUES_WRONG"),
        ({"values": {"code": "1\n", "minutes": "5"}}, "VALUES_WRONG"),
        ({"key": "ä"}, "KEY_INVALID"),
    ],
)
def test_what_is_refused(sender, change, code):
    refused = sender.send(**{"key": "m-1", **change})
    assert (refused.status_code, refused.json()["code"]) == (422, code)


def test_who_is_refused(sender):
    assert sender.call("GET", "/v1/templates", stamp="1").json()["code"] == "TIMESTAMP_WRONG"
    wrong = {"X-Sms-Signature": "0" * 64}
    assert sender.call("GET", "/v1/templates", **wrong).json()["code"] == "SIGNATURE_WRONG"
    nonce = "a" * 16
    assert sender.call("GET", "/v1/templates", nonce=nonce).status_code == 200
    assert sender.call("GET", "/v1/templates", nonce=nonce).json()["code"] == "NONCE_REPEATED"
    assert sender.call("GET", "/v1/nothing").json()["code"] == "NOT_FOUND"


def test_a_phone_is_not_flooded(sender):
    sender.send("m-1")
    refused = sender.send("m-2")
    assert (refused.status_code, refused.json()["code"]) == (429, "PHONE_LIMIT")
    assert refused.headers["Retry-After"] == "60"
    assert sender.send("m-3", to="13900000000").status_code == 202
    sender.sim("POST", "clock", {"now": "2026-11-26T10:01:00+08:00"})
    assert sender.send("m-2").status_code == 202


def test_an_undelivered_one_is_reported_with_its_reason(sender):
    sender.sim("PUT", "dial", {"undelivered": 1})
    sender.send("m-1")
    sender.sim("POST", "clock", {"now": "2026-11-26T10:00:02+08:00"})
    (told,) = sender.call("GET", "/v1/reports?after=0&limit=10").json()["reports"]
    assert told["state"] == "failed" and told["reason"]
    assert sender.client.get(f"/phones/{PHONE}.json").json() == {"messages": []}
    assert [each["kind"] for each in sender.sim("GET", "faults")] == ["undelivered"]


def test_reports_come_until_accepted_and_forged_ones_show(tmp_path):
    taken: list[tuple[dict[str, str], bytes]] = []

    class City(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(taken) < 3 else 204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    city = HTTPServer(("127.0.0.1", 0), City)
    threading.Thread(target=city.serve_forever, daemon=True).start()
    with gateway(tmp_path, "--speed", "1000", "--dial", "forged=1") as sender:
        sender.call("PUT", "/v1/templates/LOGIN_CODE", {"text": "{code} {minutes}"})
        url = f"http://127.0.0.1:{city.server_port}/reports"
        sender.send("m-1", report_url=url)
        until = time.monotonic() + 20
        while len(taken) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        good = 0
        for headers, body in taken:
            text = f"POST\n/reports\n{headers['X-Sms-Timestamp']}\n{headers['X-Sms-Nonce']}\n"
            text += f"{hashlib.sha256(body).hexdigest()}\n"
            good += headers["X-Sms-Signature"] == mac(sender.card["secret"], text)
    city.shutdown()
    city.server_close()
    assert (len(taken), good) == (3, 2)


def test_an_answer_that_was_lost_is_asked_for_again(sender):
    sender.sim("PUT", "dial", {"drop": 1})
    with pytest.raises(httpx.HTTPError):
        sender.send("m-1")
    sender.sim("PUT", "dial", {"preset": "none"})
    assert sender.send("m-1").status_code == 200

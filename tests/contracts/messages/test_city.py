"""The city's own hand at the gateway's simulator: versions, pushed reports, replies, and lost answers."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.contracts.messages.test_gateway import Sender, gateway
from xueka.kernel import clock
from xueka.platform.messages import hearing, opting, sending
from xueka.platform.messages.http_gateway import HttpGateway, configured
from xueka.platform.messages.models import Message, Reply
from xueka.platform.messages.services import index_of, send

pytestmark = pytest.mark.django_db
PHONE = "13800000001"
CODE = {"code": "123456", "minutes": "10"}
ARRIVED = {"child": "王*", "place": "一小", "number": "R1"}


@dataclass
class Pushed:
    """What came where we listen, for the test to hand on: (path, headers, body)."""

    letters: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def wait(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        until = time.monotonic() + 60
        while len(self.letters) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.letters) == count
        return self.letters


@pytest.fixture
def pushed() -> Iterator[tuple[Pushed, str]]:
    kept = Pushed()

    class City(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.letters.append((self.path, dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    city = HTTPServer(("127.0.0.1", 0), City)
    threading.Thread(target=city.serve_forever, daemon=True).start()
    yield kept, f"http://127.0.0.1:{city.server_port}"
    city.shutdown()
    city.server_close()


@pytest.fixture
def house(tmp_path: Path, settings: Any, pushed: tuple[Pushed, str]) -> Iterator[Sender]:
    with gateway(tmp_path, "--speed", "1000") as made:
        made.sim("PUT", "dial", {"per_minute": 0})
        settings.MESSAGE_PARTNER = tmp_path / "partner.json"
        settings.MESSAGE_APPROVALS = tmp_path / "approvals.json"
        settings.MESSAGE_SITE = pushed[1]
        yield made


def ours() -> HttpGateway:
    made = configured()
    assert isinstance(made, HttpGateway)
    return made


def push(letter: tuple[str, dict[str, str], bytes], more: bytes = b"") -> int:
    path, headers, body = letter
    signed = {name: value for name, value in headers.items() if name.startswith("X-Sms")}
    told = Client().post(path, body + more, content_type="application/json", headers=signed)
    return int(told.status_code)


def test_a_version_is_registered_under_its_own_name_with_its_number(house: Sender, tmp_path: Path) -> None:
    (tmp_path / "approvals.json").write_text(json.dumps({"REPLACEMENT_ARRIVED_V2": "SMS_4711"}), "utf-8")
    send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "k")
    assert sending.send_due(ours()) == 1
    [known] = house.call("GET", "/v1/templates").json()["templates"]
    assert (known["code"], known["approval"]) == ("REPLACEMENT_ARRIVED_V2", "SMS_4711")
    assert "回TD不再收提醒" in known["text"]


def test_a_text_that_waits_for_its_approval_waits_here_too(house: Sender) -> None:
    house.sim("PUT", "dial", {"per_minute": 0, "approval_seconds": 3_600_000})
    send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "k")
    assert sending.send_due(ours()) == 0
    waiting = Message.objects.get()
    assert waiting.state == "queued" and "模板还在审核" in waiting.problem
    house.sim("PUT", "dial", {"approval_seconds": 0})
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert sending.send_due(ours()) == 1


def test_pushed_reports_end_messages_once_and_forged_and_stale_ones_do_nothing(
    house: Sender, pushed: tuple[Pushed, str]
) -> None:
    house.sim("PUT", "dial", {"forged": 1, "stale": 1})
    send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "k")
    sending.send_due(ours())
    letters = pushed[0].wait(3)
    assert sorted(push(each) for each in letters) == [204, 401, 401]
    message = Message.objects.get()
    assert message.state == "delivered"
    right = next(each for each in letters if push(each) == 204)  # again
    assert push(right, b" ") == 401
    assert Message.objects.get().ended_at == message.ended_at


def test_a_report_may_be_faster_than_the_answer_that_was_lost(
    house: Sender, pushed: tuple[Pushed, str]
) -> None:
    send("13900000002", "SIGN_IN_CODE", CODE, "first")  # so that the text is known
    sending.send_due(ours())
    house.sim("PUT", "dial", {"drop": 1, "drift": 1, "undelivered": 1})
    send(PHONE, "SIGN_IN_CODE", CODE, "k")
    assert sending.send_due(ours()) == 0
    assert (lost := Message.objects.get(key="k")).state == "queued" and lost.tried_at is not None
    for letter in pushed[0].wait(2):
        assert push(letter) == 204
    message = Message.objects.get(key="k")
    assert message.state == "failed" and message.gateway_id and "未送达：未说明" in message.problem
    house.sim("PUT", "dial", {"preset": "none"})
    with clock.at(clock.now() + timedelta(minutes=1)):
        assert sending.send_due(ours()) == 0  # it is over: nothing goes twice
    assert len(house.sim("GET", "messages")) == 2


def test_an_answer_of_a_stranger_is_not_believed(house: Sender) -> None:
    house.sim("PUT", "dial", {"answer_forged": 1})
    send(PHONE, "REPLACEMENT_ARRIVED", ARRIVED, "k")
    assert sending.send_due(ours()) == 0
    assert "没有有效的签名" in Message.objects.get().problem


def test_td_stops_reminders_and_dy_brings_them_back(house: Sender) -> None:
    house.sim("POST", "replies", {"from": PHONE, "text": "TD"})
    house.sim("POST", "replies", {"from": "13900000002", "text": "谢谢"})
    assert hearing.fetch_replies(ours()) == 2 and hearing.fetch_replies(ours()) == 0
    assert opting.refuses(index_of(PHONE)) and not opting.refuses(index_of("13900000002"))
    assert sorted(Reply.objects.values_list("meaning", flat=True)) == ["", "refuse"]
    house.sim("POST", "replies", {"from": PHONE, "text": "DY"})
    assert hearing.fetch_replies(ours()) == 1 and not opting.refuses(index_of(PHONE))

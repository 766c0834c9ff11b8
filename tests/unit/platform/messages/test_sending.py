"""The outbox: asked for once, sent once, tried again where nobody answered, and its end told."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connection

from tests.support.messages import Fake
from xueka.kernel import clock
from xueka.platform import outward
from xueka.platform.crypto.fields import unseal
from xueka.platform.invariants import check
from xueka.platform.messages import hearing, opting, sending, templates
from xueka.platform.messages.http_gateway import HttpGateway, Partner, signature
from xueka.platform.messages.invariants import INVARIANTS
from xueka.platform.messages.models import Message
from xueka.platform.messages.ports import NotNow, NotTaken, Outcome, Unreachable
from xueka.platform.messages.services import index_of, send

pytestmark = pytest.mark.django_db
VALUES = {"code": "123456", "minutes": "10"}


def ask(key: str = "k1", phone: str = "13800000001", **more: Any) -> bool:
    return send(phone, "SIGN_IN_CODE", VALUES, key, **more)


def test_asking_twice_is_asking_once_and_nothing_stands_in_clear() -> None:
    assert ask() and not ask()
    message = Message.objects.get()
    assert b"13800000001" not in bytes(message.envelope) and message.shown_to == "138****0001"
    assert unseal(bytes(message.envelope))["values"] == VALUES


def test_a_number_that_is_no_mobile_phone_gets_nothing() -> None:
    assert not ask(phone="010-12345678")
    assert not Message.objects.exists()


def test_it_is_sent_asked_about_and_ends() -> None:
    gateway = Fake()
    with clock.at(clock.now()) as moment:
        ask()
        assert sending.send_due(gateway) == 1 and sending.send_due(gateway) == 0
        assert gateway.kept["k1"] == ("13800000001", "SIGN_IN_CODE", VALUES)
        gateway.outcome = Outcome(delivered=True)
        sending.ask_due(gateway)
        assert Message.objects.get().state == "sent"  # asked a little later
        moment.advance(timedelta(seconds=6))
        sending.ask_due(gateway)
        assert Message.objects.get().state == "delivered"
        moment.advance(timedelta(days=8))
        assert sending.empty_old() == 1 and bytes(Message.objects.get().envelope) == b""


def test_where_nobody_answers_it_is_tried_again_later_under_the_same_key() -> None:
    gateway = Fake(Unreachable("没有应答"))
    with clock.at(clock.now()) as moment:
        ask()
        ask("k2")
        assert sending.send_due(gateway) == 0 and sending.send_due(gateway) == 0
        moment.advance(timedelta(minutes=1))
        assert sending.send_due(gateway) == 2 and set(gateway.kept) == {"k1", "k2"}


def test_one_that_may_not_go_now_keeps_nobody_waiting() -> None:
    gateway = Fake(NotNow("太频繁"))
    ask()
    ask("k2")
    assert sending.send_due(gateway) == 1
    assert Message.objects.get(key="k1").problem == "太频繁"


def test_a_refusal_is_the_end_and_says_why() -> None:
    gateway = Fake(NotTaken("短信网关不接受：空号"))
    ask()
    sending.send_due(gateway)
    message = Message.objects.get()
    assert (message.state, message.problem) == ("failed", "短信网关不接受：空号")


def test_a_code_that_did_not_leave_in_time_never_leaves() -> None:
    with clock.at(clock.now()) as moment:
        ask(lifetime=timedelta(minutes=10))
        moment.advance(timedelta(minutes=11))
        assert sending.give_up_late() == 1
        assert sending.send_due(Fake()) == 0


def test_what_nobody_can_tell_of_counts_as_not_arrived() -> None:
    with clock.at(clock.now()) as moment:
        ask()
        sending.send_due(Fake())
        moment.advance(timedelta(days=3, minutes=1))
        sending.ask_due(Fake())
        assert Message.objects.get().state == "failed"


def test_values_are_what_a_gateway_takes() -> None:
    for each in templates.all_versions():
        values = templates.fitted(each.code, dict.fromkeys(templates.current(each.code).fields, "长" * 100))
        assert all(len(value) <= 64 for value in values.values())
        assert len(each.text) <= 300 and each.kind in templates.KINDS
        assert set(each.fields) <= set(templates.value_words())


def test_the_signature_is_that_of_the_document() -> None:
    digest = "206d0c1eceeed46deeebf6fd9f103cda6e899f02c3cf84853b8aa55b44f76108"
    made = signature("xueka-test-secret", "POST", "/v1/messages", "1766710800", "n0123456789abcdef", digest)
    assert made == "403fee92ac1e3c2c0776c9edfc4f41e80fe0d31c8dfe2074f6e6184a6f927626"


def test_a_gateway_that_is_not_there_is_unreachable() -> None:
    gateway = HttpGateway(Partner("http://127.0.0.1:9", "xueka", "00"))
    with pytest.raises(Unreachable):
        gateway.send("k", "13800000001", "SIGN_IN_CODE", VALUES)


def answering(
    monkeypatch: pytest.MonkeyPatch, status: int, content: bytes, *, signed: bool = True
) -> HttpGateway:
    """A gateway whose every answer is this one."""

    def request(*_: object, **__: object) -> httpx.Response:
        stamp = str(int(clock.now().timestamp()))
        digest = hashlib.sha256(content).hexdigest()
        heads = {"X-Sms-Timestamp": stamp, "X-Sms-Nonce": "n" * 16}
        heads["X-Sms-Signature"] = signature("s", str(status), stamp, "n" * 16, digest)
        return httpx.Response(status, content=content, headers=heads if signed else {})

    monkeypatch.setattr(outward, "request", request)
    return HttpGateway(Partner("http://127.0.0.1:9", "xueka", "s"))


@pytest.mark.parametrize("status", [301, 403, 404, 413])
def test_a_refusal_that_nobody_signed_ends_no_message(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """A proxy between the gateway and us answers without a body."""
    gateway = answering(monkeypatch, status, b"", signed=False)
    with clock.at(clock.now()) as moment:
        ask()
        sending.send_due(gateway)
        assert Message.objects.get().state == "queued"
        sending.handed("k1", "G1", 1)
        moment.advance(timedelta(seconds=6))
        sending.ask_due(gateway)
        assert Message.objects.get().state == "sent"


@pytest.mark.parametrize(
    "content",
    [b"[]", b'"x"', b'{"message_id": "%s"}' % (b"9" * 65), b'{"message_id": ["x"]}', b"[" * 100_000],
    ids=["list", "text", "long", "odd", "deep"],
)
def test_an_answer_of_another_shape_is_none(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    gateway = answering(monkeypatch, 202, content)
    ask()
    assert sending.send_due(gateway) == 0
    found = Message.objects.get()
    assert found.state == "queued" and found.problem.startswith("短信网关的应答")


@pytest.mark.parametrize("parts", [b'"x"', b"-1", b"99999", b"null"])
def test_parts_that_are_none_keep_nothing_back(monkeypatch: pytest.MonkeyPatch, parts: bytes) -> None:
    gateway = answering(monkeypatch, 202, b'{"message_id": "G", "parts": %s}' % parts)
    ask()
    assert sending.send_due(gateway) == 1 and Message.objects.get().parts == 1


def test_half_a_character_in_a_reply_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"reply_id": "1", "from": "13800000001", "text": "好\ud83d", "at": "2026-11-26T10:00:00+08:00"},
        {"reply_id": "2", "from": "13800000002", "text": "TD", "at": "2026-11-26T10:00:00+08:00"},
    ]
    gateway = answering(monkeypatch, 200, json.dumps({"replies": rows, "next": 2}).encode())
    assert hearing.fetch_replies(gateway) == 2
    assert opting.refuses(index_of("13800000002"))


def test_one_that_is_always_told_to_wait_ends_too() -> None:
    gateway = Fake()
    with clock.at(clock.now()) as moment:
        ask()
        sending.send_due(gateway)
        gateway.ask = lambda *_: (_ for _ in ()).throw(NotNow("忙"))  # type: ignore[method-assign]
        moment.advance(timedelta(days=4))
        sending.ask_due(gateway)
        assert Message.objects.get().state == "failed"


def test_the_invariant_sees_a_sent_one_that_nobody_knows() -> None:
    ask()
    sending.send_due(Fake())
    invariant = INVARIANTS[0]
    assert (check(invariant).checked, check(invariant).violated) == (1, 0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox_message SET gateway_id = ''")
    assert check(invariant).violated == 1

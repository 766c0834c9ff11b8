"""What somebody else wrote and has no bottom is unreadable like any other nonsense, whoever reads it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from xueka.contexts.couriers.adapters.kuaidi100 import Kuaidi100
from xueka.contexts.couriers.adapters.sf import Sf
from xueka.contexts.couriers.ports import CourierUnavailable
from xueka.contexts.families.adapters import jingtong
from xueka.contexts.payments.adapters import wechat, wechat_nontax
from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.contexts.registry import paging as api_paging
from xueka.contexts.registry.oneroster import registry_client
from xueka.entrypoints.design import paging
from xueka.kernel.errors import BadInput
from xueka.kernel.foreign import json_of
from xueka.platform import outward
from xueka.platform.exchange import wire
from xueka.platform.messages.http_gateway import HttpGateway, Partner
from xueka.platform.messages.ports import Unreachable

DEEP = b"[" * 100_000 + b"]" * 100_000
ANSWER = httpx.Response(200, content=DEEP)


def unreadable(error: type[Exception], work: Callable[[], object]) -> None:
    with pytest.raises(error):
        work()


@pytest.mark.parametrize("text", [DEEP, DEEP.decode(), b'{"a":' * 50_000, b"", b"\xff", "{"])
def test_it_is_no_json(text: bytes | str) -> None:
    unreadable(ValueError, lambda: json_of(text))
    assert json_of(b'{"a": [1]}') == {"a": [1]}


def test_the_couriers(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = json.dumps({"apiResultCode": "A1000", "apiResultData": DEEP.decode()}).encode()
    account = {"gateway": "g", "partner_id": "p", "checkword": "c", "key": "k", "monthly_card": "m"}
    monkeypatch.setattr("xueka.contexts.couriers.adapters.kuaidi100.salt_of", lambda *_: "s")
    for content in (DEEP, inside):
        monkeypatch.setattr(outward, "post", lambda *_, said=content: httpx.Response(200, content=said))
        unreadable(CourierUnavailable, lambda: Sf(account).search("YJ1"))
    follower = Kuaidi100(account)
    monkeypatch.setattr(outward, "post", lambda *_: ANSWER)
    unreadable(CourierUnavailable, lambda: follower.subscribe("ZT1", "zhongtong", "", "x", 1))


def test_the_gateway_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = HttpGateway(Partner("http://127.0.0.1:9", "app", "secret"))
    monkeypatch.setattr(outward, "request", lambda *_, **__: ANSWER)
    monkeypatch.setattr(gateway, "_is_theirs", lambda _: True)
    unreadable(Unreachable, lambda: gateway.ask("k", "1"))


def test_the_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = object.__new__(wire.Caller)
    monkeypatch.setattr(caller, "_send", lambda *_: (DEEP, wire.Said(200)), raising=False)
    said, answer = caller.ask("/x", "id", {})
    assert not said.accepted and answer is None


@pytest.mark.parametrize("status", [200, 400, 500])
def test_the_registry(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    partner = registry_client.Partner("n", "https://r", "https://r/token", "id", "secret", "")
    client = registry_client.RegistryClient(partner)
    got = registry_client._Got(status, httpx.Headers(), DEEP, "/x")
    monkeypatch.setattr(client, "_send", lambda *_, **__: got)
    for known in ("", "token"):
        client._token = known
        with pytest.raises((registry_client.RegistryUnavailable, registry_client.RegistryRefused)):
            client.page("users", 0, 10, "")


def test_the_sign_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "request", lambda *_, **__: ANSWER_TO)
    unreadable(ValueError, lambda: jingtong._json("https://j"))
    monkeypatch.setattr(jingtong, "_platform", lambda *_: ({}, jingtong.KeySet([])))
    token = f"{urlsafe_b64encode(DEEP).decode()}.e30.x"
    unreadable(jingtong.SignOnFailed, lambda: jingtong.hear_over(token))


ANSWER_TO = httpx.Response(200, content=DEEP, request=httpx.Request("GET", "https://j"))


def test_the_channels() -> None:
    channel = object.__new__(wechat.WeChat)
    for status in (200, 400):
        with pytest.raises(ChannelUnavailable):
            channel._call(_saying(status))
    assert wechat_nontax._said(b'{"a":' + DEEP) is None


def _saying(status: int) -> Callable[[], tuple[int, str]]:
    return lambda: (status, DEEP.decode())


def test_a_mark_in_an_address() -> None:
    mark: Any = urlsafe_b64encode(DEEP).decode()
    unreadable(BadInput, lambda: paging._read(mark, 2))
    unreadable(BadInput, lambda: api_paging._key(mark, 2))

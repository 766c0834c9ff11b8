"""What the counterpart sends: twice, shuffled, forged, of a later version; applied once, in order."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.unit.interop.conftest import CODE, City, Tong
from xueka.platform.exchange.applying import Message, apply_due
from xueka.platform.exchange.models import Incoming
from xueka.platform.identity.actor import Actor

HEARD: list[tuple[str, int]] = []


def hear(actor: Actor, message: Message) -> None:
    HEARD.append((message.key, message.data["n"]))


def deliver(tong: Tong) -> list[int]:
    """Everything that waits there, brought to our door; the statuses."""
    statuses = []
    for row, letter in tong.house.notices.take(all=True):
        answer = Client().post(
            urlsplit(letter.url).path,
            letter.body,
            content_type="application/json",
            headers={name: value for name, value in letter.headers.items() if name.startswith("webhook-")},
        )
        tong.house.notices.answered(row["id"], answer.status_code, answer.content)
        statuses.append(answer.status_code)
    return statuses


def test_applied_once_and_in_order(
    city: City, tong: Tong, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EXCHANGE_HANDLERS = {"*/number.changed": f"{__name__}.hear"}
    HEARD.clear()
    tong.house.notices.stop()  # this test carries the letters
    tong.dial(duplicate=0.5, shuffle=1, forged=0.3, drift=0.5, notice_drop=0.2)
    for number in range(12):
        told = {"key": f"card:{number % 3}", "kind": "number.changed", "data": {"n": number}}
        tong.house._tell(told)
    statuses: list[int] = []
    for _ in range(8):
        statuses += deliver(tong)
        apply_due()
    assert {200, 202, 401} <= set(statuses)
    for key in range(3):
        assert [n for name, n in HEARD if name == f"card:{key}"] == list(range(key, 12, 3))
    assert Incoming.objects.filter(counterpart=CODE, state="applied").count() == 12

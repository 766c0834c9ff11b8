"""Keys of both sides change while messages move, with the counterpart as a process: none is lost or refused.

The steps are those of docs/interfaces/exchange.md §3, each side doing its own.
"""

import base64
import json
import os
import secrets
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.live_server_helper import LiveServer

from tests.support.channels_process import Exchange, exchange_running
from tests.unit.interop.conftest import CODE, LIMITS, SYSTEM
from xueka.kernel.errors import Refused
from xueka.platform.crypto.fields import open_bytes
from xueka.platform.exchange import own_keys, receiving
from xueka.platform.exchange.counterparts import counterpart
from xueka.platform.exchange.models import Attempt, Incoming, Outgoing
from xueka.platform.exchange.sending import Sender
from xueka.platform.exchange.services import post
from xueka.platform.exchange.signatures import Keys, verify
from xueka.sandbox.common import openssl

PATIENCE = 300  # seconds, on a loaded machine
KEYS = 5


class Hands(ABC):
    """The people of both sides; what each step is called in §3."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.card = folder, folder / "partner.json"
        (folder / "city").mkdir()
        self.begin()

    def edit(self, **members: list[str]) -> None:
        made = json.loads(self.card.read_text("utf-8")) | members
        self.put(self.card, json.dumps(made))

    def put(self, path: Path, text: str) -> None:
        draft = path.with_name("draft")
        draft.write_text(text, "utf-8")
        os.replace(draft, path)

    @abstractmethod
    def begin(self) -> None: ...
    @abstractmethod
    def we_sign_with_both(self) -> None: ...
    @abstractmethod
    def they_take_ours(self) -> None: ...
    @abstractmethod
    def we_drop_the_old(self) -> None: ...
    @abstractmethod
    def they_forget_ours(self) -> None: ...
    @abstractmethod
    def they_sign_with_both(self) -> None: ...
    @abstractmethod
    def we_take_theirs(self) -> None: ...
    @abstractmethod
    def they_drop_the_old(self) -> None: ...
    @abstractmethod
    def we_forget_theirs(self) -> None: ...


class Secrets(Hands):
    def begin(self) -> None:
        card = json.loads(self.card.read_text("utf-8"))
        [self.ours], [self.theirs] = card["send_secrets"], card["receive_secrets"]
        self.our_new, self.their_new = (
            "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)
        )

    def we_sign_with_both(self) -> None:
        self.edit(send_secrets=[self.ours, self.our_new])

    def they_take_ours(self) -> None:
        self.put(self.folder / "keys" / "from-xueka-2.secret", self.our_new)

    def we_drop_the_old(self) -> None:
        self.edit(send_secrets=[self.our_new])

    def they_forget_ours(self) -> None:
        (self.folder / "keys" / "from-xueka.secret").unlink()

    def they_sign_with_both(self) -> None:
        self.put(self.folder / "keys" / "to-xueka-2.secret", self.their_new)

    def we_take_theirs(self) -> None:
        self.edit(receive_secrets=[self.theirs, self.their_new])

    def they_drop_the_old(self) -> None:
        (self.folder / "keys" / "to-xueka.secret").unlink()

    def we_forget_theirs(self) -> None:
        self.edit(receive_secrets=[self.their_new])


class Sm2(Hands):
    def begin(self) -> None:
        [self.theirs] = json.loads(self.card.read_text("utf-8"))["sm2_public"]
        self.hand_over("xueka")

    def hand_over(self, name: str) -> None:
        newest = own_keys.signing(CODE)[0]
        self.put(self.folder / "city" / f"{name}.pub.pem", newest.public.to_pem().decode("ascii"))

    def we_sign_with_both(self) -> None:
        with transaction.atomic():
            own_keys.make_next(SYSTEM, CODE)

    def they_take_ours(self) -> None:
        self.hand_over("xueka-2")

    def we_drop_the_old(self) -> None:
        with transaction.atomic():
            own_keys.drop_old(SYSTEM, CODE)

    def they_forget_ours(self) -> None:
        (self.folder / "city" / "xueka.pub.pem").unlink()

    def they_sign_with_both(self) -> None:
        openssl.make_key(self.folder / "keys" / "sign-2.key")
        self.their_new = (self.folder / "keys" / "sign-2.pub.pem").read_text("ascii")

    def we_take_theirs(self) -> None:
        self.edit(sm2_public=[self.theirs, self.their_new])

    def they_drop_the_old(self) -> None:
        (self.folder / "keys" / "sign.key").unlink()

    def we_forget_theirs(self) -> None:
        self.edit(sm2_public=[self.their_new])


class Traffic:
    """Messages both ways, without a pause, until `stop`."""

    def __init__(self, other: Exchange) -> None:
        self._other, self._stopping = other, threading.Event()
        self.posted = self.told = 0
        self.errors: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=[each]) for each in (self._post, self._tell)]
        self._sender = Sender()

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        self._stopping.set()
        for each in self._threads:
            each.join()

    def arrived(self) -> tuple[int, int]:
        assert not self.errors, self.errors
        return Outgoing.objects.filter(state="delivered").count(), Incoming.objects.count()

    def move(self) -> None:
        """Until some more have arrived on either side."""
        before = self.arrived()
        self.wait(lambda now: all(new >= old + 3 for new, old in zip(now, before, strict=True)))

    def wait(self, enough: Callable[[tuple[int, int]], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not enough(self.arrived()):
            assert time.monotonic() < until, (self.arrived(), self.posted, self.told)
            time.sleep(0.05)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                work()
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()

    def _post(self) -> None:
        with transaction.atomic():
            post(CODE, "event", f"card:{self.posted % KEYS}", {"n": self.posted})
        self.posted += 1
        self._sender.turn()

    def _tell(self) -> None:
        self._other.post("send", kind="event", key=f"card:{self.told % KEYS}", data={"n": self.told})
        self.told += 1
        self._stopping.wait(0.05)


@pytest.fixture
def turned_away(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Codes of what our door has refused."""
    found: list[str] = []

    def seen(headers: Mapping[str, str], body: bytes, keys: Keys, now: float) -> str:
        try:
            return verify(headers, body, keys, now)
        except Refused as refusal:
            found.append(refusal.code)
            raise

    monkeypatch.setattr(receiving, "verify", seen)
    return found


@pytest.fixture
def places(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    settings.EXCHANGE_PARTNERS = tmp_path
    monkeypatch.setattr(own_keys, "keys_directory", lambda: tmp_path / "own")
    yield tmp_path


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("version", "hands"), [("v1", Secrets), ("v1sm2", Sm2)])
def test_messages_move_while_keys_change(
    version: str, hands: type[Hands], places: Path, turned_away: list[str], live_server: LiveServer
) -> None:
    site = live_server.url.replace("localhost", "127.0.0.1")
    given = ("--sign", version, "--site", site, "--limits", LIMITS)
    with exchange_running(places / CODE, 1, *given) as other:
        both = hands(other.folder)
        traffic = Traffic(other)
        before = counterpart(CODE)
        traffic.start()
        try:
            for step in (
                both.we_sign_with_both,
                both.they_take_ours,
                both.we_drop_the_old,
                both.they_forget_ours,
                both.they_sign_with_both,
                both.we_take_theirs,
                both.they_drop_the_old,
                both.we_forget_theirs,
            ):
                traffic.move()
                step()
            traffic.move()
        finally:
            traffic.stop()
        sender = Sender()
        while sender.turn():
            pass
        sender.close()
        traffic.wait(lambda now: now == (traffic.posted, traffic.told))
        assert other.get("counts")[0]["applied"] == traffic.posted
        with sqlite3.connect(other.folder / "exchange.sqlite3") as book:
            assert book.execute("select count(*) from notice where state <> 'accepted'").fetchone() == (0,)

    # Nothing was ever refused for its signature, and what came last is signed by nothing old.
    assert not turned_away and list(Attempt.objects.exclude(code="").values_list("code", "said")) == []
    last = Incoming.objects.order_by("id").last()
    assert last is not None
    now = counterpart(CODE)
    raw = open_bytes(bytes(last.raw))
    at = float(last.headers["webhook-timestamp"])
    assert verify(last.headers, raw, now.receiving, at) == last.message_id
    with pytest.raises(Refused):
        verify(last.headers, raw, before.receiving, at)
    assert before.sending != now.sending and before.receiving != now.receiving

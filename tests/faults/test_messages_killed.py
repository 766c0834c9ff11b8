"""kill -9 of the sender the moment a counterpart has taken a message: it goes on, and nothing arrives twice.

Gateway and mail server are processes of their own; the sender is one that dies after its first hand-over.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import sending as mails
from xueka.platform.mail import services as mail
from xueka.platform.mail import smtp
from xueka.platform.mail.models import Mail
from xueka.platform.messages import sending as messages
from xueka.platform.messages import services as message
from xueka.platform.messages.http_gateway import HttpGateway, configured
from xueka.platform.messages.models import Message

_DYING = """
import os, signal, sys
import django
django.setup()
from pathlib import Path
from django.conf import settings
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
settings.MESSAGE_PARTNER, settings.MAIL_PARTNER = map(Path, sys.argv[2:4])
from xueka.platform.mail import sending as mails, smtp
from xueka.platform.messages import http_gateway, sending as messages
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
messages.handed = die
send = smtp.SmtpServer.send
smtp.SmtpServer.send = lambda *told: (send(*told), die())
if sys.argv[4] == "messages":
    messages.send_due(http_gateway.configured())
else:
    mails.send_due(smtp.configured())
"""


@contextmanager
def beside(name: str, home: Path) -> Iterator[dict[str, Any]]:
    """A counterpart's process; its visiting card."""
    command = [sys.executable, "-m", f"xueka.sandbox.{name}", "--home", str(home), "--seed", "3"]
    process = subprocess.Popen([*command, "--speed", "1000"], stderr=subprocess.DEVNULL)
    card = home / "partner.json"
    try:
        until = time.monotonic() + 60
        while not card.exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield json.loads(card.read_text("utf-8"))
    finally:
        process.terminate()
        process.wait()


def die_sending(what: str, home: Path) -> None:
    cards = [str(home / name / "partner.json") for name in ("messages", "mail")]
    told = [str(connection.settings_dict["NAME"]), *cards, what]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "xueka.config.settings_for_tests"}
    command = [sys.executable, "-c", _DYING, *told]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


def taken(card: dict[str, Any], what: str) -> list[dict[str, Any]]:
    base = card.get("control", card.get("base"))
    headers = {"Authorization": f"Bearer {card['control_token']}"}
    answer = httpx.get(f"{base}/_sim/{what}", headers=headers, trust_env=False, timeout=20)
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.mark.django_db(transaction=True)
def test_what_was_handed_over_when_the_sender_died_is_sent_once(tmp_path: Path, settings: Any) -> None:
    with beside("messages", tmp_path / "messages") as phones, beside("mail", tmp_path / "mail") as boxes:
        settings.MESSAGE_PARTNER = tmp_path / "messages" / "partner.json"
        settings.MAIL_PARTNER = tmp_path / "mail" / "partner.json"
        for number in range(3):
            values = {"code": "123456", "minutes": "10"}
            message.send(f"1380000000{number}", "SIGN_IN_CODE", values, f"k{number}")
            actor = Actor.system("test")
            mail.send(actor, f"a{number}@b.example.cn", "主题", "正文", f"k{number}", purpose="试发")
        die_sending("messages", tmp_path)
        die_sending("mail", tmp_path)
        assert len(taken(phones, "messages")) == len(taken(boxes, "mails")) == 1  # and nobody here knows
        assert not Message.objects.exclude(state="queued").exists()
        assert not Mail.objects.exclude(state="queued").exists()

        with clock.at(clock.now() + timedelta(minutes=2)):
            gateway = configured()
            assert isinstance(gateway, HttpGateway)
            assert messages.send_due(gateway) == 3
            assert mails.send_due(smtp.SmtpServer(smtp.partner(boxes))) == 3
        assert sorted(each["key"] for each in taken(phones, "messages")) == ["k0", "k1", "k2"]
        assert sorted(each["copies"] for each in taken(boxes, "mails")) == [1, 1, 2]  # one mail by its id

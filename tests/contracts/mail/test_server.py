"""The city's own sender against the mail server's simulator, over real SMTP with STARTTLS and log-in."""

import json
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from xueka.kernel import clock
from xueka.platform.crypto.fields import open_bytes, unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import listener, sending, smtp
from xueka.platform.mail.models import Incoming, Mail
from xueka.platform.mail.ports import Unreachable
from xueka.platform.mail.services import send
from xueka.sandbox.mail.__main__ import House, parser

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


class Town:
    """The simulator, and the city's hand at it."""

    def __init__(self, card: dict[str, Any], client: httpx.Client) -> None:
        self.card, self.client = card, client
        self.server = smtp.SmtpServer(smtp.partner(card))

    def sim(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.card['control_token']}"}
        answer = self.client.request(method, f"/_sim/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def box(self, address: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"/boxes/{address}.json").json()["mails"]
        return found


@contextmanager
def running(home: Path, *options: str) -> Iterator[Town]:
    house = House(parser().parse_args(["--home", str(home), "--seed", "7", *options]))
    house.start()
    try:
        card = json.loads(house.card.read_text("utf-8"))
        with httpx.Client(base_url=card["control"], trust_env=False, timeout=20) as client:
            yield Town(card, client)
    finally:
        house.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with running(tmp_path_factory.mktemp("mail"), "--speed", "1000") as made:
        yield made


@pytest.fixture
def town(house: Town) -> Iterator[Town]:
    yield house
    house.sim("PUT", "dial", {"preset": "none"})


def ask(to: str, key: str, **more: Any) -> Mail:
    made = send(SYSTEM, to, "您的问题已答复", "李老师，您好：\n卡已寄出。", key, purpose="试发", **more)
    assert made is not None
    return made


def test_a_mail_arrives_whole(town: Town) -> None:
    ask(
        "lilaoshi@school.example.cn",
        "m1",
        name="李老师",
        attachments=[("名单.csv", "学校,人数\n一小,3\n".encode())],
    )
    assert sending.send_due(town.server) == 1
    [found] = town.box("lilaoshi@school.example.cn")
    assert found["subject"] == "您的问题已答复" and found["text"].splitlines()[1] == "卡已寄出。"
    assert found["attachments"] == ["名单.csv"]
    mail = Mail.objects.get()
    assert mail.state == "sent" and found["message_id"] == f"<{mail.token}@xueka.example.cn>"


def test_greylisted_and_full_servers_are_asked_again_under_the_same_id(town: Town) -> None:
    town.sim("PUT", "dial", {"greylist": 1})
    with clock.at(clock.now()) as moment:
        ask("grey@school.example.cn", "m2")
        assert sending.send_due(town.server) == 0
        mail = Mail.objects.get()
        assert mail.state == "queued" and "451 4.7.1" in mail.problem
        moment.advance(timedelta(minutes=2))
        assert sending.send_due(town.server) == 1
    assert Mail.objects.get().state == "sent"


def test_an_answer_that_was_lost_makes_no_second_mail_in_the_box(town: Town) -> None:
    town.sim("PUT", "dial", {"drop": 1})
    with clock.at(clock.now()) as moment:
        ask("drop@school.example.cn", "m3")
        assert sending.send_due(town.server) == 0 and "没有应答" in Mail.objects.get().problem
        town.sim("PUT", "dial", {"preset": "none"})
        moment.advance(timedelta(minutes=2))
        assert sending.send_due(town.server) == 1
    [found] = town.box("drop@school.example.cn")
    assert found["copies"] == 2  # RFC 5321 §4.5.5: the sender repeats, Message-ID makes it one


def test_a_refusal_is_the_end_and_says_why_without_the_address(town: Town) -> None:
    ask("nobody@school.example.cn", "m4")
    sending.send_due(town.server)
    mail = Mail.objects.get()
    assert (mail.state, mail.problem) == ("failed", "邮件服务器不收：550 5.1.1 没有这个邮箱。")


def test_a_server_that_cannot_be_trusted_gets_nothing(town: Town) -> None:
    ask("trust@school.example.cn", "m5")
    strange = smtp.SmtpServer(smtp.partner({**town.card, "ca_file": ""}))
    assert sending.send_due(strange) == 0 and "证书不可信" in Mail.objects.get().problem
    mail = smtp.message(strange.sender, "a@b.cn", "", "x", "y", "<1@b.cn>")
    with pytest.raises(Unreachable, match="用户名和密码"):
        smtp.SmtpServer(smtp.partner({**town.card, "password": "wrong"})).send("a@b.cn", mail)
    assert town.box("trust@school.example.cn") == []


# ---- mail that comes


@pytest.mark.django_db(transaction=True)
def test_what_comes_is_kept_once_and_a_bounce_ends_its_mail(tmp_path: Path, settings: Any) -> None:
    with running(tmp_path / "mail", "--speed", "1000", "--dial", "inbound_duplicate=1") as town:
        settings.MAIL_PARTNER = tmp_path / "mail" / "partner.json"
        made = listener.Listener("127.0.0.1", 0, smtp.our_addresses, 100_000)
        listener.tell(tmp_path / "mail" / "city", "127.0.0.1", made.start())
        try:
            ask("full@school.example.cn", "m6")
            assert sending.send_due(town.server) == 1
            letter = {"from": "zhang@home.example.cn", "subject": "卡没收到", "text": "您好，<b>急</b>"}
            town.sim("POST", "inbound", {**letter, "attachments": [{"name": "照片.jpg", "content": "/9g="}]})
            town.sim("POST", "inbound", {**letter, "to": "stranger@xueka.example.cn"})
            town.sim("POST", "inbound", {**letter, "text": "x" * 200_000})
            until = time.monotonic() + 60
            while time.monotonic() < until:
                letters = town.sim("GET", "letters")
                if len(letters) == 4 and all(each["state"] != "waiting" for each in letters):
                    break
                time.sleep(0.05)
        finally:
            made.stop()
    assert sorted(each["answer"] for each in letters) == ["250", "250", "550", "552"]
    mail = Mail.objects.get()
    assert (mail.state, mail.problem) == ("failed", "退信：5.2.2 邮箱已满。")
    bounce, person = Incoming.objects.order_by("kind")
    assert (bounce.kind, bounce.about_id, person.kind, person.copies) == ("bounce", mail.pk, "person", 2)
    known = unseal(bytes(person.envelope))
    assert (known["subject"], known["text"]) == ("卡没收到", "您好，<b>急</b>")
    assert known["attachments"] == [{"name": "照片.jpg", "type": "application/octet-stream", "size": 2}]
    assert "zhang" not in person.shown_from and b"zhang" not in bytes(person.raw)
    assert open_bytes(bytes(person.raw)).count(b"Message-ID") == 1


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_kept_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("xueka.platform.mail.listener.receiving.take", broken)
    made = listener.Listener("127.0.0.1", 0, lambda: {"a@b.cn"}, 10_000)
    port = made.start()
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as line, pytest.raises(smtplib.SMTPDataError) as no:
            line.sendmail("x@y.cn", ["a@b.cn"], b"Subject: x\r\n\r\ny\r\n")
    finally:
        made.stop()
    assert no.value.smtp_code == 451

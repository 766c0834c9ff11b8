"""The city's own sender against the mail server's simulator, over real SMTP with STARTTLS and log-in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from xueka.kernel import clock
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import sending, smtp
from xueka.platform.mail.models import Mail
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

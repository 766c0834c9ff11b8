"""Mail out: addresses, subjects and attachments that cannot do harm; one that no server took in time."""

from datetime import timedelta

import pytest
from django.db import connection

from xueka.kernel import clock
from xueka.kernel.errors import BadInput
from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.invariants import check
from xueka.platform.mail import addresses, sending, smtp
from xueka.platform.mail.invariants import INVARIANTS
from xueka.platform.mail.models import Mail
from xueka.platform.mail.services import ALLOWED, send

SYSTEM = Actor.system("test")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "a",
        "a@b",
        "a@b.cn\nBcc: c@d.cn",
        "a b@c.cn",
        "a@-b.cn",
        "a@b..cn",
        "<a@b.cn>",
        "张@b.cn",
        f"{'a' * 65}@b.cn",
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        addresses.clean(typed)
    assert refused.value.code == "MAIL_ADDRESS"


def test_addresses_go_as_the_wire_takes_them() -> None:
    assert addresses.clean(" Li.Ming+x@Example.CN ") == "Li.Ming+x@example.cn"
    assert addresses.clean("a@例子.中国") == "a@xn--fsqu00a.xn--fiqs8s"
    assert addresses.masked("liming@example.cn") == "l*****@example.cn" and addresses.masked("x") == "*"


def test_no_name_ends_a_header_line() -> None:
    made = smtp.message(
        ("a@b.cn", "卡\r\nBcc: x@y.cn"), "c@d.cn", "李\n老师", "主题：你好", "正文", "<1@b.cn>"
    )
    lines = made.as_bytes().split(b"\r\n\r\n")[0].split(b"\r\n")
    assert not [line for line in lines if line.lower().startswith(b"bcc")]
    assert str(made["Subject"]) == "主题：你好"


@pytest.mark.django_db
def test_asking_twice_is_asking_once_and_nothing_stands_in_clear() -> None:
    made = send(SYSTEM, "liming@example.cn", "答复", "正文", "k", purpose="试发")
    assert made is not None and send(SYSTEM, "liming@example.cn", "答复", "正文", "k", purpose="试发") is None
    assert b"liming" not in bytes(made.envelope) and made.shown_to == "l*****@example.cn"
    assert unseal(bytes(made.envelope))["subject"] == "答复"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": "a\nBcc: x@y.cn"}, "MAIL_SUBJECT"),
        ({"subject": " "}, "MAIL_SUBJECT"),
        ({"text": ""}, "MAIL_TEXT"),
        ({"attachments": [("a.exe", b"MZ")]}, "MAIL_ATTACHMENT"),
        ({"attachments": [("a.pdf", b"MZ")]}, "MAIL_ATTACHMENT"),
        ({"attachments": [("../a.txt", b"x")]}, "MAIL_ATTACHMENT"),
        ({"attachments": [("a.txt", b"x")] * 11}, "MAIL_ATTACHMENT"),
        ({"attachments": [("a.txt", b"x" * 9_000_000)]}, "MAIL_ATTACHMENT"),
    ],
)
def test_what_is_refused(change: dict[str, object], code: str) -> None:
    values: dict[str, object] = {"subject": "主题", "text": "正文", **change}
    with pytest.raises(BadInput) as refused:
        send(SYSTEM, "a@b.cn", key="k", purpose="试发", **values)  # type: ignore[arg-type]
    assert refused.value.code == code and not Mail.objects.exists()
    assert "application/x-msdownload" not in ALLOWED.values()


@pytest.mark.django_db
def test_what_no_server_took_in_time_ends() -> None:
    with clock.at(clock.now()) as moment:
        send(SYSTEM, "a@b.cn", "答复", "正文", "k", purpose="试发")
        moment.advance(timedelta(days=3, seconds=1))
        assert sending.give_up_late() == 1
    assert Mail.objects.get().state == "failed"


def test_without_encryption_only_on_this_machine() -> None:
    card = {"host": "mail.example.cn", "port": 25, "security": "none", "from": "a@b.cn"}
    with pytest.raises(BadInput) as refused:
        smtp.partner(card)
    assert refused.value.code == "MAIL_PARTNER"
    assert smtp.partner({**card, "host": "127.0.0.1"}).security == "none"


@pytest.mark.django_db
def test_the_invariant_sees_a_sent_one_that_nobody_tried() -> None:
    send(SYSTEM, "a@b.cn", "答复", "正文", "k", purpose="试发")
    [invariant] = INVARIANTS
    assert (check(invariant).checked, check(invariant).violated) == (1, 0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mail_mail SET state = 'sent', sent_at = created_at")
    assert check(invariant).violated == 1

"""Mail that comes: read whatever it is, the same one once, reports believed only by our own token."""

from email.message import EmailMessage

import pytest

from xueka.platform.crypto.fields import unseal
from xueka.platform.identity.actor import Actor
from xueka.platform.mail import reading, receiving
from xueka.platform.mail.models import Incoming, Mail
from xueka.platform.mail.services import send

SYSTEM = Actor.system("test")


def letter(text: str = "正文", **heads: str) -> EmailMessage:
    made = EmailMessage()
    usual = {"From": "张三 <zhang@b.cn>", "Subject": "你好", "Message-ID": "<1@b.cn>"}
    for name, value in {**usual, **heads}.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def report(token: str, action: str = "failed", status: str = "5.1.1") -> bytes:
    return (
        "From: mailer-daemon@b.cn\r\nMessage-ID: <dsn@b.cn>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n'
        "--x\r\nContent-Type: text/plain\r\n\r\nsorry\r\n"
        "--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; b.cn\r\n\r\n"
        f"Final-Recipient: rfc822; a@b.cn\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
        f"--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{token}@xueka.cn>\r\n\r\n--x--\r\n"
    ).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"Message-ID: <a\x00b@b.cn>\r\n\r\nx",
        b"Subject: =?utf-8?b?//8=?=\r\nFrom: <<<>>>\r\n\r\nx",
        b"Content-Type: text/plain; charset=no-such\r\n\r\n\xc4\xe3",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status\r\n\r\n",
        b"From: " + b"a" * 5000 + b"\r\nMessage-ID: " + b"b" * 5000 + b"\r\n\r\n",
    ],
)
def test_whatever_comes_is_read(raw: bytes) -> None:
    found = reading.read(raw)
    assert "\x00" not in found.message_id and len(found.message_id) <= 255 and len(found.sender) <= 254


@pytest.mark.parametrize(
    "raw",
    [
        b"From: " + b"\r\n ".join([b"," * 70] * 3000) + b"\r\nMessage-ID: <1@b.cn>\r\n\r\nx",
        b"From: " + b"(" * 5000 + b"\r\nMessage-ID: <1@b.cn>\r\n\r\nx",
        b"Message-ID: <1@b.cn>\r\n"
        + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (each, each)
            for each in range(3000)
        ),
    ],
    ids=["long", "deep", "nested"],
)
@pytest.mark.django_db
def test_one_that_is_made_to_be_hard_is_kept_and_keeps_nobody_waiting(
    raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 1)
    mail, new = receiving.take(raw, "a@b.cn", ["us@xueka.cn"], "")
    assert new and mail.message_id == "<1@b.cn>" and mail.size == len(raw)
    assert unseal(bytes(mail.envelope))["text"].startswith("（这封信的结构没能读出")
    again, new = receiving.take(b"Received: x\r\n" + raw, "a@b.cn", ["us@xueka.cn"], "")
    assert (again.pk, new) == (mail.pk, False)


def test_apart_reads_the_same_as_here() -> None:
    raw = letter("第一行\n第二行").as_bytes()
    assert reading.read_apart(raw) == reading.read(raw)
    bounced = report("a" * 32)
    assert reading.read_apart(bounced) == reading.read(bounced)
    assert reading.read_apart(bounced).report == reading.Report("a" * 32, "failed", "5.1.1")


def test_html_becomes_words() -> None:
    made = EmailMessage()
    made.set_content("<p>您好</p><script>alert(1)</script><p>卡&lt;坏&gt;了</p>", subtype="html")
    assert reading.read(made.as_bytes()).text.split() == ["您好", "卡<坏>了"]


@pytest.mark.django_db
def test_the_same_mail_once_and_another_text_under_its_id_too() -> None:
    first, new = receiving.take(letter().as_bytes(), "zhang@b.cn", ["kefu@x.cn"], "1.2.3.4")
    on_the_way = b"Received: from b\r\n" + letter().as_bytes()
    again, second = receiving.take(on_the_way, "zhang@b.cn", ["Kefu@x.cn"], "1.2.3.4")
    assert (new, second, again.pk) == (True, False, first.pk)
    assert receiving.take(letter("别的").as_bytes(), "zhang@b.cn", ["kefu@x.cn"], "")[1]
    assert Incoming.objects.get(pk=first.pk).copies == 2
    assert first.shown_from == "z****@b.cn" and unseal(bytes(first.envelope))["name"] == "张三"


@pytest.mark.django_db
def test_a_bounce_is_believed_by_its_token_and_never_brings_an_end_back() -> None:
    mail = send(SYSTEM, "a@b.cn", "答复", "正文", "k", purpose="试发")
    assert mail is not None
    receiving.take(report("0" * 32), "", ["kefu@x.cn"], "")
    assert Mail.objects.get().state == "queued"
    receiving.take(report(mail.token, "delayed", "4.2.2"), "", ["kefu@x.cn"], "")
    assert Mail.objects.get().state == "queued" and "仍在尝试" in Mail.objects.get().problem
    receiving.take(report(mail.token), "", ["kefu@x.cn"], "")
    assert (Mail.objects.get().state, Mail.objects.get().problem) == ("failed", "退信：5.1.1 没有这个邮箱。")
    receiving.take(report(mail.token, "delivered", "2.1.5"), "", ["kefu@x.cn"], "")
    assert Mail.objects.get().state == "failed"
    assert Incoming.objects.filter(kind="bounce", about=mail).count() == 3


@pytest.mark.django_db
def test_machines_are_told_from_people() -> None:
    made, _ = receiving.take(letter(Auto_Submitted="auto-replied").as_bytes(), "x@b.cn", ["k@x.cn"], "")
    assert made.kind == "machine"
    assert receiving.take(letter("b").as_bytes(), "x@b.cn", ["k@x.cn"], "")[0].kind == "person"

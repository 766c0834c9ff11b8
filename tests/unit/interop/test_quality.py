"""The four measures of messages and mail, what they mean, and that one that breaks keeps nobody from his."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.messages import Fake
from tests.unit.interop.conftest import SYSTEM
from xueka.contexts.interop import api as interop
from xueka.contexts.interop.models import Quality
from xueka.contexts.interop.services import quality as measuring
from xueka.kernel import clock
from xueka.platform.audit.services import record
from xueka.platform.exchange.quality import MEASURES, Source, sources
from xueka.platform.exchange.standing import KINDS
from xueka.platform.mail import receiving
from xueka.platform.mail import sending as mailing
from xueka.platform.mail import services as mail
from xueka.platform.mail.models import Mail
from xueka.platform.mail.ports import NotTaken as MailNotTaken
from xueka.platform.messages import sending
from xueka.platform.messages.models import Message
from xueka.platform.messages.ports import NotTaken, Outcome
from xueka.platform.messages.services import send

pytestmark = pytest.mark.django_db
NOON = clock.now().replace(hour=4, minute=0, second=0, microsecond=0)  # in Beijing


def shares(code: str) -> dict[str, tuple[int, int]]:
    interop.measure_all()
    rows = Quality.objects.filter(counterpart=code, day=clock.today())
    return {each.measure: (each.good, each.total) for each in rows}


def text(key: str) -> Message:
    values = {"code": "123456", "minutes": "10"}
    assert send("13800000001", "SIGN_IN_CODE", values, key, lifetime=timedelta(minutes=10))
    return Message.objects.get(key=key)


def test_text_messages() -> None:
    with clock.at(NOON) as time:
        assert shares("sms") == {}
        text("refused")
        assert sending.send_due(Fake(NotTaken("空号"))) == 0
        assert shares("sms") == {"valid": (0, 1)}
        gateway = Fake()
        for key in ("arrives", "fails", "unheard"):
            text(key)
        assert sending.send_due(gateway) == 3
        assert shares("sms") == {"valid": (3, 4)}  # it is early to miss a report
        gateway.arrive("arrives")
        sending.end(Message.objects.get(key="fails"), "failed", "停机")
        assert shares("sms") == {"valid": (3, 4), "complete": (2, 2), "accurate": (1, 2), "timely": (1, 1)}
        time.advance(timedelta(minutes=11))
        assert shares("sms") == {"valid": (3, 4), "complete": (2, 3), "accurate": (1, 2), "timely": (1, 2)}
        gateway.outcome = Outcome(delivered=True)
        sending.ask_due(gateway)
        assert shares("sms") == {"valid": (3, 4), "complete": (3, 3), "accurate": (2, 3), "timely": (1, 2)}
        text("never sent")
        time.advance(timedelta(minutes=11))
        sending.give_up_late()
        assert shares("sms")["timely"] == (1, 3) and shares("sms")["valid"] == (3, 4)


class Box:
    """A mail server that takes what it is given, or refuses."""

    sender = ("a@b.cn", "学生卡")

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses

    def send(self, to: str, message: Any) -> None:
        if self.refuses:
            raise MailNotTaken("没有这个信箱")


def letter(key: str) -> None:
    assert mail.send(SYSTEM, "li@example.cn", "答复", "正文", key, purpose="试发")


def test_mail() -> None:
    with clock.at(NOON) as time:
        letter("refused")
        mailing.send_due(Box(refuses=True))
        letter("taken")
        letter("comes back")
        assert mailing.send_due(Box()) == 2
        assert shares("mail") == {"complete": (3, 3), "valid": (2, 3), "accurate": (2, 2), "timely": (2, 2)}
        token = Mail.objects.get(key="comes back").token
        receiving.take(bounce(token), "", ["a@b.cn"], "127.0.0.1")
        assert shares("mail")["accurate"] == (1, 2)
        letter("waits")
        assert shares("mail")["complete"] == (3, 3)
        time.advance(timedelta(minutes=16))
        assert (shares("mail")["complete"], shares("mail")["timely"]) == ((3, 4), (2, 3))
        mailing.send_due(Box())
        assert (shares("mail")["complete"], shares("mail")["timely"]) == ((4, 4), (2, 3))


def bounce(token: str) -> bytes:
    return (
        f"From: mailer-daemon@b.cn\r\nTo: a@b.cn\r\nMessage-ID: <{token}b@x.cn>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n'
        "--x\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; x.cn\r\n\r\nFinal-Recipient: rfc822; li@example.cn\r\nAction: failed\r\n"
        "Status: 5.1.1\r\n\r\n"
        f"--x\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{token}@b.cn>\r\n\r\nx\r\n--x--\r\n"
    ).encode()


def test_sign_ons_of_jingtong() -> None:
    assert shares("jingtong") == {}
    for result in ("done", "done", "done", "refused", "failed"):
        record(SYSTEM, "family.sign_on", "family_account", "", result=result)
    assert shares("jingtong") == {"valid": (4, 5), "accurate": (3, 4)}


def test_the_day_before_is_still_measured_and_older_days_stay() -> None:
    with clock.at(NOON) as time:
        text("k")
        sending.send_due(Fake())
        time.advance(timedelta(days=1))
        interop.measure_all()
        day = clock.today() - timedelta(days=1)
        assert Quality.objects.get(counterpart="sms", measure="complete", day=day).total == 1
        Message.objects.all().delete()
        time.advance(timedelta(days=1))
        interop.measure_all()
        assert Quality.objects.get(counterpart="sms", measure="complete", day=day).total == 1


def test_one_that_breaks_keeps_the_others_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Source({"broken": {}}, fall)
    monkeypatch.setattr(measuring, "sources", lambda: [broken, *sources()])
    text("k")
    sending.send_due(Fake())
    assert shares("sms") == {"valid": (1, 1)}


def fall(first: object, last: object) -> Any:
    raise ZeroDivisionError


def test_every_measure_is_explained_or_said_not_to_apply() -> None:
    for source in sources():
        for named, means in source.meanings.items():
            assert list(means) and set(means) == set(MEASURES), named
            assert all(each.words for each in means.values())
    assert interop.meaning("beijing-tong", "exchange") and not interop.meaning("unheard-of", "messages")
    assert not interop.meaning("courier-kuaidi100", "courier")["accurate"].applies
    assert set(KINDS)  # a kind is no beginning of a code
    assert not any(code.startswith(kind) for kind in KINDS for code in ("sms", "mail", "oneroster"))


def test_they_stand_beside_the_interface_and_in_the_command() -> None:
    text("k")
    gateway = Fake()
    sending.send_due(gateway)
    gateway.arrive("k")
    interop.measure_all()
    assert interop.standing_of(SYSTEM, "sms").quality == dict.fromkeys(MEASURES, 1.0)
    told = {each["code"]: each for each in interop.status(SYSTEM)}
    assert told["sms"]["quality"] == dict.fromkeys(MEASURES, 1.0)
    assert told["mail"]["quality"] == dict.fromkeys(MEASURES)

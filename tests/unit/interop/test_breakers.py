"""Who does not answer is spared: messages, mail and couriers have the breaker of the exchange."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.messages import Fake
from tests.unit.interop.conftest import SYSTEM
from tests.unit.interop.test_quality import Box, letter, text
from xueka.contexts.interop import api as interop
from xueka.kernel import clock
from xueka.platform.exchange import lines
from xueka.platform.exchange.models import CLOSED, OPEN, Line
from xueka.platform.exchange.standing import BROKEN, GOOD
from xueka.platform.mail import sending as mailing
from xueka.platform.mail.models import Mail
from xueka.platform.mail.ports import Unreachable as MailUnreachable
from xueka.platform.messages import sending
from xueka.platform.messages.models import Message
from xueka.platform.messages.ports import Unreachable

pytestmark = pytest.mark.django_db
WHILE = timedelta(seconds=91)  # longer than the longest pause, jitter and all


def breaker(code: str) -> str:
    return Line.objects.get(counterpart=code).breaker


def test_a_silent_gateway_is_left_alone_and_found_again_by_one_message() -> None:
    with clock.at(clock.now()) as time:
        for each in range(5):
            assert sending.send_due(Fake(Unreachable("短信网关没有应答。"))) == 0
            text(str(each))
            assert sending.send_due(Fake(Unreachable("短信网关没有应答。"))) == 0
        assert breaker("sms") == OPEN
        found = interop.standing_of(SYSTEM, "sms")
        assert found.health == (BROKEN, "暂停：短信网关没有应答。")
        text("new")
        spared = Fake()
        assert sending.send_due(spared) == 0 and not spared.kept
        tries = Message.objects.get(key="new").attempts
        assert tries == 0  # what waits behind the breaker is not put off
        time.advance(WHILE)
        again = Fake(Unreachable("短信网关没有应答。"))
        sending.send_due(again)
        assert again.acts == [] and breaker("sms") == OPEN  # one found out
        time.advance(WHILE)
        assert sending.send_due(Fake()) == 6
        assert breaker("sms") == CLOSED and interop.standing_of(SYSTEM, "sms").health[0] == GOOD


def test_asking_finds_out_as_well() -> None:
    with clock.at(clock.now()) as time:
        text("k")
        sending.send_due(Fake())
        for _ in range(5):
            lines.heard(sending.WAY, False, "短信网关没有应答。")
        assert breaker("sms") == OPEN
        time.advance(timedelta(seconds=6))
        gateway = Fake()
        time.advance(WHILE)
        sending.ask_due(gateway)
        assert breaker("sms") == CLOSED


class Dead(Box):
    called = 0

    def send(self, to: str, message: Any) -> None:
        self.called += 1
        raise MailUnreachable("邮件服务器没有应答。")


def test_a_silent_mail_server_too() -> None:
    with clock.at(clock.now()) as time:
        dead = Dead()
        for each in range(7):
            letter(str(each))
            mailing.send_due(dead)
        assert (dead.called, breaker("mail")) == (5, OPEN)
        assert interop.standing_of(SYSTEM, "mail").health[0] == BROKEN
        time.advance(timedelta(minutes=3))
        assert mailing.send_due(Box()) == Mail.objects.count() == 7
        assert breaker("mail") == CLOSED


def test_with_nothing_to_say_nobody_finds_out() -> None:
    with clock.at(clock.now()) as time:
        for _ in range(5):
            lines.heard(sending.WAY, False, "短信网关没有应答。")
        time.advance(WHILE)
        sending.send_due(Fake())
        assert breaker("sms") == OPEN
        text("k")
        assert sending.send_due(Fake()) == 1

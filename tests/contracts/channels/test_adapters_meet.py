"""Our adapters at the channels and the simulator meet: every call of the port, notices, lies and silence."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.conf import LazySettings

from tests.support.merchant import NOTIFY, Merchant, channels
from xueka.contexts.payments.adapters import alipay, cards, wechat
from xueka.contexts.payments.ports import ChannelRefused, ChannelUnavailable, NoticeRefused
from xueka.kernel import clock
from xueka.kernel.clock import SHANGHAI, SimulatedClock, simulated

DAY = datetime(2026, 11, 25, 10, tzinfo=SHANGHAI)
NUMBER = "XK20261125000001"


class Meeting:
    """One channel, the adapter at it, and the simulator's side."""

    def __init__(self, code: str, merchant: Merchant, at: SimulatedClock) -> None:
        self.code, self.merchant, self._at = code, merchant, at
        account = SimpleNamespace(notify_url=NOTIFY, settings={}, gateway=merchant.card["base"])
        self.adapter = {"wechat": wechat, "alipay": alipay}[code].connect(account)

    def payment(self, number: str = NUMBER, fen: int = 2000, id: str = "") -> Any:
        order = SimpleNamespace(title="学生卡补卡", expires_at=DAY + timedelta(minutes=30))
        return SimpleNamespace(
            order=order, out_trade_no=number, amount_fen=fen, received_fen=fen, asked_id=id, channel_id=id
        )

    def refund(self, payment: Any, number: str, fen: int) -> Any:
        return SimpleNamespace(payment=payment, number=number, amount_fen=fen, reason="付款前已取消")

    def open(self, number: str = NUMBER) -> Any:
        """As a payer's browser does it; the payment."""
        payment = self.payment(number)
        started = self.adapter.start(payment, "oSomebody", "")
        if started.kind == "redirect":
            assert httpx.get(started.data["url"], trust_env=False).status_code == 303
        else:
            query = {name: value for name, value in started.data.items() if name != "cashier"}
            address = self.merchant.card["wechat"]["cashier"]
            assert httpx.get(address, params=query, trust_env=False).status_code == 303
        return payment

    def later(self, seconds: int) -> None:
        self._at.advance(timedelta(seconds=seconds))
        self.merchant.clock(clock.local(clock.now()).isoformat())

    def notices(self) -> list[Any]:
        """Verified and read, or the refusal."""
        found = []
        for each in self.merchant.notices():
            headers = {name.lower(): value for name, value in each["headers"].items()}
            try:
                found.append(self.adapter.read_notice(headers, each["body"], clock.now()))
            except NoticeRefused as refusal:
                found.append(refusal)
        return found


@pytest.fixture(params=["wechat", "alipay"])
def meeting(
    request: pytest.FixtureRequest, tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Meeting]:
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path / "city"))
    settings.XUEKA_HOME = tmp_path / "city"
    home = tmp_path / "channels"
    settings.CHANNEL_PARTNER = home / "partner.json"
    at = SimulatedClock(DAY)
    with simulated(at), channels(home) as merchant:
        cards.hand_over(home)
        merchant.clock(DAY.isoformat())
        yield Meeting(request.param, merchant, at)


def test_an_answer_that_somebody_else_signed_is_not_believed(meeting):
    payment = meeting.open()
    meeting.merchant.pay(meeting.code, NUMBER)
    meeting.merchant.sim("PUT", "dial", {"answer_forged": 1})
    with pytest.raises(ChannelUnavailable):
        meeting.adapter.ask(payment)
    meeting.merchant.sim("PUT", "dial", {"preset": "none"})
    assert meeting.adapter.ask(payment).state == "succeeded"


def test_members_that_nobody_told_us_of_change_nothing(meeting):
    payment = meeting.open()
    paid = meeting.merchant.pay(meeting.code, NUMBER)
    meeting.merchant.sim("PUT", "dial", {"drift": 1})
    told = meeting.adapter.ask(payment)
    assert (told.state, told.amount_fen, told.channel_id) == ("succeeded", 2000, paid["channel_id"])
    assert [each["kind"] for each in meeting.merchant.sim("GET", "faults")] == ["drift"]


def test_a_payment_from_start_to_notice(meeting):
    payment = meeting.open()
    assert meeting.adapter.ask(payment).state == "waiting"
    paid = meeting.merchant.pay(meeting.code, NUMBER)
    told = meeting.adapter.ask(payment)
    assert (told.state, told.amount_fen, told.channel_id) == ("succeeded", 2000, paid["channel_id"])
    assert told.success_at == DAY
    (notice,) = meeting.notices()
    assert notice.out_trade_no == NUMBER and notice.payment.channel_id == paid["channel_id"]
    assert (notice.payment.state, notice.payment.amount_fen) == ("succeeded", 2000)


def test_what_the_channel_does_not_know(meeting):
    assert meeting.adapter.ask(meeting.payment("XK20261125000009")).state == "missing"
    assert meeting.adapter.close(meeting.payment("XK20261125000009")).state == "missing"
    meeting.open()
    assert meeting.adapter.close(meeting.payment()).state == "closed"
    meeting.merchant.pay(meeting.code, NUMBER, force=True)
    assert meeting.adapter.close(meeting.payment()).state == "succeeded"


def test_refunds(meeting):
    payment = meeting.open()
    payment.channel_id = meeting.merchant.pay(meeting.code, NUMBER)["channel_id"]
    first = meeting.refund(payment, "R1", 1500)
    assert meeting.adapter.ask_refund(first).state == "missing"
    assert meeting.adapter.refund(first).state == "waiting"
    assert meeting.adapter.ask_refund(first).state == "waiting"
    meeting.later(2)
    told = meeting.adapter.ask_refund(first)
    assert (told.state, told.amount_fen) == ("succeeded", 1500)
    assert meeting.adapter.refund(first).state == "succeeded"
    with pytest.raises(ChannelRefused):
        meeting.adapter.refund(meeting.refund(payment, "R2", 501))
    told = [each for each in meeting.notices() if each.payment is None]
    assert len(told) == 1 and told[0].out_trade_no == NUMBER
    if meeting.code == "wechat":  # Alipay's tells a sum only
        assert (told[0].refund_no, told[0].refund.state) == ("R1", "succeeded")


def test_a_second_charge_is_asked_for_by_its_own_number(meeting):
    meeting.open()
    meeting.merchant.sim("PUT", "dial", {"double_pay": 1})
    first, second = meeting.merchant.pay(meeting.code, NUMBER)["charged"]
    assert meeting.adapter.ask(meeting.payment()).channel_id == first
    assert meeting.adapter.ask(meeting.payment(id=second)).channel_id == second


def test_silence_is_no_answer(meeting):
    payment = meeting.open()
    for fault in ("drop", "errors", "limited"):
        meeting.merchant.sim("PUT", "dial", {"preset": "none", fault: 1})
        with pytest.raises(ChannelUnavailable):
            meeting.adapter.ask(payment)


def test_no_forged_notice_is_read(meeting):
    """Those that are signed by the channel itself name another merchant, which the service compares."""
    meeting.open()
    trouble = {"channel": meeting.code, "out_trade_no": NUMBER, "kind": "forged"}
    for _ in range(20):
        meeting.merchant.sim("POST", "trouble", trouble)
    read = [each for each in meeting.notices() if not isinstance(each, NoticeRefused)]
    ours = {"wechat": "1900000109", "alipay": "2088123456780156"}[meeting.code]
    assert all(each.payment.merchant != ours for each in read)


def test_statements(meeting):
    meeting.open()
    meeting.merchant.pay(meeting.code, NUMBER)
    day = date(2026, 11, 25)
    meeting.later(24 * 3600 - 3600)
    with pytest.raises(ChannelUnavailable):
        meeting.adapter.statement(day, "trade")
    meeting.later(3600)
    assert meeting.adapter.statement(date(2026, 11, 24), "trade") is None
    money = {"wechat": "fundflow", "alipay": "signcustomer"}[meeting.code]
    for kind, name in (("trade", "trade"), ("fundflow", money)):
        right = meeting.merchant.sim("GET", f"statement?channel={meeting.code}&kind={name}&day={day}")
        assert meeting.adapter.statement(day, kind) == right

"""UnionPay's files, fetched from the simulator by our adapter: signed both ways, late, absent, damaged."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings

from tests.support.merchant import Merchant, channels
from xueka.contexts.payments.adapters import cards, unionpay
from xueka.contexts.payments.ports import ChannelUnavailable
from xueka.contexts.treasury import api as treasury
from xueka.kernel.clock import SHANGHAI, SimulatedClock, simulated

DAY = datetime(2026, 11, 25, 10, tzinfo=SHANGHAI)


@pytest.fixture
def merchant(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Merchant]:
    """Three payments at UnionPay; half past ten of the next day."""
    monkeypatch.setenv("XUEKA_HOME", str(tmp_path / "city"))
    settings.XUEKA_HOME = tmp_path / "city"
    home = tmp_path / "channels"
    settings.CHANNEL_PARTNER = home / "partner.json"
    at = SimulatedClock(DAY)
    with simulated(at), channels(home) as made:
        cards.hand_over(home)
        made.clock(DAY.isoformat())
        for turn in range(3):
            made.pay("unionpay", f"XK2026112500{turn:04d}", amount_fen=2000, subject="补卡")
        at.advance(timedelta(hours=24, minutes=30))
        made.clock(at.now().astimezone(SHANGHAI).isoformat())
        yield made


def adapter() -> Any:
    return unionpay.connect(SimpleNamespace())  # type: ignore[arg-type]


def test_a_day_comes_whole(merchant: Merchant) -> None:
    raw = adapter().statement(DAY.date(), "trade")
    assert raw == merchant.sim("GET", "statement?channel=unionpay&kind=zm&day=2026-11-25")
    checked = treasury.check("unionpay.zip", raw, "unionpay", day=DAY.date())
    assert (checked.payments, checked.amount_fen, checked.fee_fen, checked.errors) == (3, 6000, 36, [])


def test_no_movement_and_not_yet(merchant: Merchant) -> None:
    assert adapter().statement(date(2026, 11, 24), "trade") is None
    with pytest.raises(ChannelUnavailable) as late:
        adapter().statement(date(2026, 11, 26), "trade")
    assert late.value.code == "UNIONPAY_03"


def test_an_answer_that_somebody_altered_is_not_believed(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = unionpay.urllib.parse.parse_qsl

    def altered(text: str, *given: bool, **more: bool) -> list[tuple[str, str]]:
        return [(name, "98" if name == "respCode" else value) for name, value in right(text, *given, **more)]

    monkeypatch.setattr(unionpay.urllib.parse, "parse_qsl", altered)
    with pytest.raises(ChannelUnavailable) as wrong:
        adapter().statement(DAY.date(), "trade")
    assert wrong.value.code == "CHANNEL_ANSWER"


def test_an_unknown_merchant_key_is_refused(merchant: Merchant) -> None:
    for file in (merchant.house.card.parent / "city").glob("unionpay*"):
        file.unlink()
    with pytest.raises(ChannelUnavailable) as refused:
        adapter().statement(DAY.date(), "trade")
    assert refused.value.code == "UNIONPAY_11"

"""Money of the payments' tests, and what channels and finance office say of it."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pytest
from django.db import transaction

from tests.support import statements as made
from tests.support.fake_channel import BANKS
from tests.unit.payments.conftest import Cashier, cashier, in_memory
from xueka.contexts.payments import api as payments
from xueka.contexts.treasury import api as treasury
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE, Scope

__all__ = ["cashier", "in_memory"]

DAY = date(2026, 9, 7)


def finance(name: str) -> Actor:
    return Actor.in_role(name, name, "finance", Scope("city"))


ONE, OTHER = finance("one"), finance("other")


def line(number: str, channel_id: str, fen: int, day: date = DAY) -> made.Cells:
    """A payment on a trade statement of WeChat Pay."""
    cells = dict.fromkeys(made.TRADE, "")
    cells |= dict.fromkeys(("代金券金额", "退款金额", "充值券退款金额", "申请退款金额"), "0.00")
    return cells | {
        "交易时间": f"{day} 10:00:00",
        "商户号": "1900000109",
        "微信订单号": channel_id,
        "商户订单号": number,
        "交易状态": "SUCCESS",
        "货币种类": "CNY",
        "应结订单金额": made.yuan(fen),
        "订单金额": made.yuan(fen),
        "手续费": "0.00000",
    }


def statement(rows: Sequence[made.Cells]) -> bytes:
    return made.wechat(rows, made.TRADE_SUMS)


@transaction.atomic
def take(raw: bytes, day: date = DAY) -> treasury.Statement:
    return treasury.take_statement(ONE, "wechat", "trade", day, raw)


@transaction.atomic
def week(first: date = DAY, last: date = DAY) -> treasury.Result:
    return treasury.reconcile(ONE, first, last)


def kinds() -> list[tuple[str, str, int]]:
    """The breaks that are there: kind, key, fen."""
    rows = treasury.open_breaks(EVERYWHERE).order_by("kind", "key")
    return list(rows.values_list("kind", "key", "fen"))


@pytest.fixture
def town(cashier: Cashier) -> Iterator[tuple[Cashier, list[payments.Payment], list[made.Cells]]]:
    """Five families have paid by WeChat, one by code; it is the next day. Rows of a sound statement."""
    for _ in range(5):
        cashier.paid()
    nontax = cashier.paid(channel="nontax")
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    paid = list(payments.Payment.objects.filter(channel="wechat").order_by("id"))
    told = BANKS["nontax"].paid[nontax.payments.get().out_trade_no]
    confirm(nontax.payments.get().out_trade_no, "B1", 2000, told.channel_id)
    yield cashier, paid, [line(each.out_trade_no, each.channel_id, 2000) for each in paid]


@transaction.atomic
def confirm(code: str, tra_no: str, fen: int, channel_id: str = "", day: date = DAY) -> treasury.Confirmation:
    said = {"PayCode": code, "CfmDate": f"{day:%Y%m%d}", "CfmTime": "10:20:30", "Amt": made.yuan(fen)}
    return treasury.take_confirmation(ONE, said | {"TraNoBus": tra_no, "Hold1": channel_id}, "1")

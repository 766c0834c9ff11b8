"""Trade statement beside fund flow; refunds from the treasury beside books and finance office."""

from datetime import timedelta

import pytest
from django.db import transaction

from tests.support import statements as made
from tests.support.fake_channel import BANKS
from tests.unit.payments.conftest import FINANCE, Cashier, books
from tests.unit.payments.test_paying import settle
from tests.unit.treasury.conftest import DAY, ONE, OTHER, kinds, statement, take, week
from tests.unit.treasury.test_fetching import voucher
from tests.unit.treasury.test_posting import flow, row, sound, take_fund
from xueka.contexts.payments import api as payments
from xueka.contexts.payments.services import refunding
from xueka.contexts.treasury import api as treasury
from xueka.contexts.treasury.models import BreakRow, Fetch
from xueka.contexts.treasury.services import fetching
from xueka.kernel import clock

Town = tuple[Cashier, list[payments.Payment], list[made.Cells]]


def test_money_that_was_never_settled_is_named_and_signed_off(town: Town) -> None:
    _, paid, rows = town
    for each in rows:
        each["手续费"] = "0.12000"
    take(statement(rows))
    take_fund(flow(paid))
    assert week().breaks == []
    more = row("XKGHOST", "T-ghost", "交易", "收入", 900)
    less = row(paid[1].out_trade_no, paid[1].channel_id, "交易", "收入", 1999)
    fee = row(paid[1].out_trade_no, paid[1].channel_id, "扣除交易手续费", "支出", 15)
    flows = [more, less, fee]
    for each in paid[2:]:
        flows.append(row(each.out_trade_no, each.channel_id, "交易", "收入", 2000))
        flows.append(row(each.out_trade_no, each.channel_id, "扣除交易手续费", "支出", 12))
    take_fund(made.fund_flow(flows))
    week()
    assert kinds() == [
        ("settle_amount", paid[1].channel_id, -1),
        ("settle_fee", paid[0].channel_id, 12),
        ("settle_fee", paid[1].channel_id, -3),
        ("settle_missing", paid[0].channel_id, -2000),
        ("settle_only", "T-ghost", 900),
        ("statement_replaced", f"wechat fund {DAY}", 0),
    ]
    treasury.post_all()
    assert books(paid[0].out_trade_no) == {"clearing.wechat": 2000}
    for found in BreakRow.objects.all():
        with transaction.atomic():
            treasury.explain(ONE, found.id, "已查明")
            treasury.sign_off(OTHER, found.id)
    treasury.post_all()
    assert books(paid[0].out_trade_no) == {"breaks": 2000}
    assert books(paid[1].out_trade_no) == {"breaks": 1}
    assert books("XKGHOST") == {"breaks": -900}
    sound()


def test_a_refund_that_the_fund_flow_lacks(town: Town) -> None:
    cashier, paid, rows = town
    with clock.at(cashier.time.now() - timedelta(days=1)):  # type: ignore[attr-defined]
        payments.refund(FINANCE, paid[0].order_id, 700, "x", "k")
        settle(cashier, 2)
    refund = payments.Refund.objects.get()
    back = dict(rows[0]) | {
        "交易状态": "REFUND",
        "应结订单金额": "0.00",
        "订单金额": "0.00",
        "微信退款单号": "R-T1",
        "商户退款单号": refund.number,
        "退款金额": "7.00",
        "申请退款金额": "7.00",
        "退款状态": "SUCCESS",
    }
    take(statement([*rows, back]))
    take_fund(flow(paid, fee_fen=0))
    week()
    assert [each for each in kinds() if each[0] != "settle_fee"] == [("settle_missing", refund.number, 700)]


def test_without_both_statements_nothing_is_compared(town: Town) -> None:
    _, paid, rows = town
    take_fund(flow(paid[1:]))
    week()
    assert {kind for kind, *_ in kinds()} == {"statement_missing"}
    take(statement(rows))
    week()
    assert ("settle_missing", paid[0].channel_id, -2000) in kinds()


def test_a_refund_from_the_treasury_is_asked_of_the_finance_office(town: Town) -> None:
    cashier, _, rows = town
    take(statement(rows))
    direct = payments.Payment.objects.get(channel="nontax")
    code, tra_no = direct.out_trade_no, direct.channel_id
    BANKS["nontax"].confirmed[DAY] = [voucher(code, tra_no) | {"RefundAmt": "0.00"}]
    fetching.fetch_due()
    made = payments.refund(FINANCE, direct.order_id, 500, "x", "k")
    refunding.hear_refund(made.id, payments.ToldRefund("succeeded", 500, "TF1", clock.now()))
    cashier.time.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    fetching.fetch_due()  # asked again, because we have paid back since
    assert Fetch.objects.get(kind="confirm", day=DAY).tries == 2
    week()
    assert ("payback_differs", code, 500) in kinds()
    BANKS["nontax"].confirmed[DAY] = [voucher(code, tra_no) | {"RefundAmt": "5.00"}]
    fetching.urge(DAY)
    fetching.fetch_due()
    week()
    assert "payback_differs" not in {kind for kind, *_ in kinds()}
    BANKS["nontax"].confirmed[DAY] = [voucher(code, tra_no) | {"RefundAmt": "6.00"}]
    fetching.urge(DAY)
    fetching.fetch_due()
    week()
    assert ("payback_differs", code, -100) in kinds()
    cashier.time.advance(timedelta(days=1))  # type: ignore[attr-defined]
    today = clock.today() - timedelta(days=1)
    week(today, today)
    assert "ledger_missing" not in {kind for kind, *_ in kinds()}


@pytest.mark.parametrize("hold", ["", "4200003"])
def test_direct_money_is_known_at_the_channel_by_what_finance_says(town: Town, hold: str) -> None:
    """The statement of WeChat's non-tax interface names its own number, the confirmation both."""
    _, _, rows = town
    take(statement(rows))
    direct = payments.Payment.objects.get(channel="nontax")
    with transaction.atomic():
        said = voucher(direct.out_trade_no, direct.channel_id) | {"Hold1": hold}
        treasury.take_confirmation(ONE, said, "")
        cells = dict.fromkeys(made.NONTAX, "") | dict.fromkeys(made.NONTAX_SUMS.values(), "0.00")
        cells |= {
            "交易时间": f"{DAY} 10:00:00",
            "商户号": "1900000110",
            "微信订单号": "4200003",
            "商户订单号": direct.out_trade_no,
            "交易状态": "SUCCESS",
            "货币种类": "CNY",
            "总金额": "20.00",
        }
        treasury.take_statement(ONE, "nontax", "trade", DAY, made.wechat([cells], made.NONTAX_SUMS))
    week()
    assert {kind for kind, *_ in kinds()} == {"finance_twice"}  # the town's own confirmation is one more

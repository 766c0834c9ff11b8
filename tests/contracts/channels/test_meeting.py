"""Our readers and the simulators meet: two hands that share nothing but the documents."""

import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.support.collector import CODE, finance
from tests.support.merchant import Merchant, channels
from xueka.contexts.payments.domain import cnnontax
from xueka.contexts.treasury import api as treasury
from xueka.kernel.errors import BadInput

DAY, NEXT = "2026-11-25T10:00:00+08:00", "2026-11-26T10:30:00+08:00"
NAMES = {
    ("wechat", "trade"): ("wechat.csv", "wechat"),
    ("wechat", "fundflow"): ("wechat-fund.csv", "wechat-fund"),
    ("alipay", "trade"): ("alipay.zip", "alipay"),
    ("unionpay", "zm"): ("unionpay.zip", "unionpay"),
}


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Merchant]:
    """Twelve payments and three refunds at each channel."""
    with channels(tmp_path) as merchant:
        merchant.clock(DAY)
        for turn in range(12):
            number, fen = f"XK2026112500{turn:04d}", (1500, 2000, 3500)[turn % 3]
            merchant.prepay(number, fen)
            merchant.pay("wechat", number)
            merchant.wap(number, f"{fen // 100}.00")
            merchant.pay("alipay", number)
            merchant.pay("unionpay", number, amount_fen=fen, subject="补卡")
            if turn < 3:
                merchant.refund(number, f"R{turn}", 500, total=fen)
                ask = {"out_trade_no": number, "refund_amount": "5.00", "out_request_no": f"R{turn}"}
                merchant.alipay("alipay.trade.refund", ask)
        merchant.clock(NEXT)
        yield merchant


@pytest.mark.parametrize("which", NAMES, ids="-".join)
def test_a_right_statement_is_read_whole(day, which):
    content = day.sim("GET", f"statement?channel={which[0]}&kind={which[1]}&day=2026-11-25")
    name, kind = NAMES[which]
    checked = treasury.check(name, content, kind, day=date(2026, 11, 25))
    assert [error.as_dict() for error in checked.errors] == []
    returned = 3 if which[0] != "unionpay" else 0
    assert (checked.payments, checked.amount_fen) == (12, 28_000)
    assert (checked.refunds, checked.refund_fen) == (returned, returned * 500)
    assert checked.fee_fen == 168 - returned * 3


@pytest.mark.parametrize("fault", ["totals_wrong", "row_missing", "row_twice", "amount_altered", "cut_off"])
def test_what_contradicts_itself_is_found(day, fault):
    """By its own totals, or because it is no whole file."""
    from xueka.sandbox.channels import movements, statements

    rows = movements.of_day(day.house.book, "wechat", date(2026, 11, 25))
    right = statements.wechat_trade(rows, "ALL")
    wrong = statements.wechat_trade(rows, "ALL", "totals_wrong")
    if fault == "cut_off":
        wrong = right[: len(right) * 2 // 3]
    elif fault != "totals_wrong":
        head, first, *rest = right.split(b"\r\n")
        altered = first.replace(b"`15.00", b"`16.00")
        kept = {"row_missing": [], "row_twice": [first, first], "amount_altered": [altered]}[fault]
        wrong = b"\r\n".join([head, *kept, *rest])
    try:
        assert treasury.check("wechat.csv", wrong, "wechat").errors
    except BadInput:
        assert fault == "cut_off"


def test_frames_of_both_hands(tmp_path):
    with finance(tmp_path) as collector:
        token = collector.card["token"]
        card = collector.card
        head = ("8994", card["des"], card["src"], "1", "20261126")
        asked = cnnontax.Message(*head, vouchers=(collector.notice(),), division="110000")
        with socket.create_connection((collector.card["host"], collector.card["port"]), 20) as connection:
            connection.sendall(cnnontax.encode(asked, token))
            start = connection.recv(8, socket.MSG_WAITALL)
            rest = connection.recv(cnnontax.declared_length(start) - 8, socket.MSG_WAITALL)
        answer = cnnontax.receive(start + rest, token)
    assert (answer.msg_no, answer.msg_ref) == ("5001", "1")
    assert (answer.vouchers[0]["Result"], answer.vouchers[0]["PayCode"]) == ("00000", CODE)


def test_the_statement_of_non_tax_money(tmp_path):
    with finance(tmp_path) as collector:
        collector.clock(DAY)
        for turn in range(5):
            code = f"{CODE[:-1]}{turn}"
            collector.ask("8994", collector.notice(code))
            collector.pay(code)
        content = collector.sim("GET", "statement?day=2026-11-25")
    checked = treasury.check("nontax.csv", content, "wechat-nontax", day=date(2026, 11, 25))
    assert [error.as_dict() for error in checked.errors] == []
    assert (checked.payments, checked.amount_fen) == (5, 10_000)
    assert {line.pay_code for line in checked.lines} == {f"{CODE[:-1]}{turn}" for turn in range(5)}

"""The channels' fault dial (channels.md §7): what happens, what stays true; each throw is on record."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography.exceptions import InvalidTag

from tests.support.merchant import Merchant, channels, openssl_fits, wechat_fits
from xueka.sandbox.channels.alipay import text_of

DAY, NUMBER = "2026-11-25T10:00:00+08:00", "XK20261125000001"


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    with channels(tmp_path) as made:
        made.clock(DAY)
        yield made


def _kinds(merchant: Merchant) -> list[str]:
    return [each["kind"] for each in merchant.sim("GET", "faults")]


def test_a_dropped_answer_was_done_all_the_same(merchant):
    merchant.sim("PUT", "dial", {"drop": 1})
    with pytest.raises(httpx.HTTPError):
        merchant.prepay(NUMBER)
    merchant.sim("PUT", "dial", {"preset": "none"})
    assert merchant.ask(NUMBER)["trade_state"] == "NOTPAY" and _kinds(merchant) == ["drop"]


def test_errors_are_signed_and_may_have_done_the_work(merchant):
    merchant.sim("PUT", "dial", {"errors": 1})
    seen = set()
    for turn in range(12):
        number = f"XK2026112500{turn:04d}"
        answer = merchant.prepay(number)
        assert (answer.status_code, answer.json()["code"]) == (500, "SYSTEM_ERROR")
        assert wechat_fits(merchant.card, answer.headers, answer.content)
    merchant.sim("PUT", "dial", {"preset": "none"})
    for turn in range(12):
        seen.add(merchant.ask(f"XK2026112500{turn:04d}").get("code", "there"))
    assert seen == {"ORDER_NOT_EXIST", "there"}


def test_the_notice_may_lie_about_the_amount_and_the_order_never_does(merchant):
    merchant.sim("PUT", "dial", {"wrong_amount": 1})
    merchant.prepay(NUMBER)
    merchant.pay("wechat", NUMBER)
    told = merchant.opened(merchant.notices()[0])
    assert told["amount"]["total"] != 2000 == merchant.ask(NUMBER)["amount"]["total"]


def test_a_lost_notice_is_never_sent_and_a_doubled_one_comes_again(merchant):
    for number, kind in ((NUMBER, "notice_lost"), ("XK20261125000002", "duplicate")):
        merchant.prepay(number)
        merchant.sim("POST", "trouble", {"channel": "wechat", "out_trade_no": number, "kind": kind})
        merchant.pay("wechat", number)
    seen = 0
    for minute in range(10):
        merchant.clock(f"2026-11-25T10:{minute:02d}:30+08:00")
        for notice in merchant.notices():
            assert merchant.opened(notice)["out_trade_no"] == "XK20261125000002"
            merchant.sim("POST", f"notices/{notice['id']}", {"status": 200, "body": ""})
            seen += 1
    assert 2 <= seen <= 5


def test_a_double_charge_has_numbers_notices_and_refunds_of_its_own(merchant):
    merchant.sim("PUT", "dial", {"double_pay": 1})
    merchant.prepay(NUMBER)
    first, second = merchant.pay("wechat", NUMBER)["charged"]
    assert merchant.ask(NUMBER)["transaction_id"] == first
    told = {merchant.opened(each)["transaction_id"] for each in merchant.notices()}
    assert told == {first, second}
    back = merchant.wechat(
        "POST",
        "/v3/refund/domestic/refunds",
        {
            "transaction_id": second,
            "out_refund_no": "R1",
            "amount": {"refund": 2000, "total": 2000, "currency": "CNY"},
        },
    )
    assert back.json()["transaction_id"] == second
    assert merchant.refund(NUMBER, "R2", 2000).status_code == 200


def test_no_forged_notice_of_wechat_holds(merchant):
    """By signature, by serial, by age or by merchant: each lie shows, and the order is not paid."""
    merchant.prepay(NUMBER)
    for _ in range(25):
        merchant.sim("POST", "trouble", {"channel": "wechat", "out_trade_no": NUMBER, "kind": "forged"})
    lies = set()
    for notice in merchant.notices():
        lie = _wechat_lie(merchant, notice)
        assert lie
        lies.add(lie)
    assert lies == {"signature", "serial", "age", "merchant"}
    assert merchant.ask(NUMBER)["trade_state"] == "NOTPAY"
    assert set(_kinds(merchant)) == {"forged"}


def _wechat_lie(merchant: Merchant, notice) -> str:
    headers = notice["headers"]
    if headers["Wechatpay-Serial"] != merchant.card["wechat"]["public_key_id"]:
        return "serial"
    if not wechat_fits(merchant.card, headers, notice["body"]):
        return "signature"
    if int(headers["Wechatpay-Timestamp"]) < 1_795_572_000 - 300:  # DAY in seconds, less the tolerance
        return "age"
    try:
        return "merchant" if merchant.opened(notice)["mchid"] != "1900000109" else ""
    except InvalidTag:
        return "seal"


def test_no_forged_notice_of_alipay_holds(merchant):
    merchant.wap(NUMBER)
    for _ in range(25):
        merchant.sim("POST", "trouble", {"channel": "alipay", "out_trade_no": NUMBER, "kind": "forged"})
    lies = set()
    for notice in merchant.notices():
        form = dict(parse_qsl(notice["body"].decode()))
        text = text_of(form, "sign", "sign_type")
        if not openssl_fits(merchant.card["alipay"]["alipay_public_key"], text, form["sign"]):
            lies.add("signature")
        elif form["seller_id"] != merchant.card["alipay"]["seller_id"]:
            lies.add("merchant")
        elif form["notify_time"] < "2026-11-25":
            lies.add("age")
        else:
            lies.add("none")
    assert lies == {"signature", "merchant", "age"}
    assert merchant.alipay("alipay.trade.query", {"out_trade_no": NUMBER})["trade_status"] == "WAIT_BUYER_PAY"


def test_the_same_seed_throws_the_same(tmp_path):
    def life(home: Path) -> tuple[list[str], list[str]]:
        with channels(home, "--faults", "heavy", "--dial", "drop=0,errors=0,delay=0,limited=0") as merchant:
            merchant.clock(DAY)
            for turn in range(30):
                merchant.prepay(f"XK2026112500{turn:04d}")
                merchant.pay("wechat", f"XK2026112500{turn:04d}")
            faults = [f"{each['kind']} {each['reference']}" for each in merchant.sim("GET", "faults")]
            taken = [json.loads(each["body"])["id"] for each in merchant.notices(all=True)]
            return faults, taken

    first = life(tmp_path / "one")
    assert first == life(tmp_path / "two") and len(first[0]) > 10


def test_a_dial_that_is_none_is_refused(merchant):
    headers = {"Authorization": f"Bearer {merchant.card['control_token']}"}
    for body in ({"nonsense": 1}, {"drop": "much"}, {"drop": -1}, {"preset": "settings"}):
        assert merchant.client.put("/_sim/dial", json=body, headers=headers).status_code == 400

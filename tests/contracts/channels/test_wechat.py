"""WeChat Pay's simulator against docs/interfaces/channels.md §2; signatures by the OpenSSL command."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.merchant import Merchant, channels, wechat_fits
from xueka.sandbox.channels import keys

DAY, NEXT = "2026-11-25T10:00:00+08:00", "2026-11-26T10:30:00+08:00"


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    with channels(tmp_path) as made:
        made.clock(DAY)
        yield made


def test_published_vector_of_the_seal():
    sealed = keys.seal("0123456789abcdef0123456789ABCDEF", "abcdefghijkl", "transaction", b'{"a":1}')
    assert sealed == "YOZ6q0hPA2oks0O8AhsSbmoTBoXVNzQ="


def test_an_order_from_prepay_to_notice(merchant):
    made = merchant.prepay("XK20261125000001")
    assert made.status_code == 200 and wechat_fits(merchant.card, made.headers, made.content)
    assert merchant.ask("XK20261125000001")["trade_state"] == "NOTPAY"
    paid = merchant.pay("wechat", "XK20261125000001")
    asked = merchant.ask("XK20261125000001")
    assert asked["trade_state"] == "SUCCESS" and asked["transaction_id"] == paid["channel_id"]
    assert asked["amount"]["payer_total"] == 2000 and asked["success_time"] == DAY
    (notice,) = merchant.notices()
    assert wechat_fits(merchant.card, notice["headers"], notice["body"])
    told = merchant.opened(notice)
    assert (told["out_trade_no"], told["trade_state"]) == ("XK20261125000001", "SUCCESS")
    by_id = f"/v3/pay/transactions/id/{paid['channel_id']}?mchid=1900000109"
    assert merchant.wechat("GET", by_id).json() == asked


def test_a_notice_comes_until_it_is_accepted(merchant):
    merchant.prepay("XK20261125000001")
    merchant.pay("wechat", "XK20261125000001")
    (first,) = merchant.notices()
    merchant.sim("POST", f"notices/{first['id']}", {"status": 500, "body": ""})
    assert merchant.notices() == []
    merchant.clock("2026-11-25T10:00:15+08:00")
    (second,) = merchant.notices()
    assert second["id"] == first["id"] and second["body"] != first["body"]
    merchant.sim("POST", f"notices/{first['id']}", {"status": 204, "body": ""})
    merchant.clock("2026-11-27T10:00:00+08:00")
    assert merchant.notices() == []


def test_the_certificate_signs_when_no_public_key_is_asked_for(merchant):
    answer = merchant.wechat("GET", "/v3/certificates", by_key=False)
    assert answer.headers["Wechatpay-Serial"] == merchant.card["wechat"]["platform_serial"]
    assert wechat_fits(merchant.card, answer.headers, answer.content)
    (found,) = answer.json()["data"]
    sealed = found["encrypt_certificate"]
    key = merchant.card["wechat"]["apiv3_key"].encode()
    text = AESGCM(key).decrypt(
        sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), b"certificate"
    )
    assert f"{x509.load_pem_x509_certificate(text).serial_number:X}" == found["serial_no"]


def test_a_wrong_signature_opens_nothing(merchant):
    target = "/v3/pay/transactions/out-trade-no/XK20261125000001?mchid=1900000109"
    refused = merchant.wechat("GET", target, spoil=True)
    assert (refused.status_code, refused.json()["code"]) == (401, "SIGN_ERROR")
    assert merchant.client.get(target).json()["code"] == "SIGN_ERROR"
    merchant.serial = "ABC"
    assert merchant.wechat("GET", target).json()["code"] == "SIGN_ERROR"


def test_repetition_and_refusals(merchant):
    first = merchant.prepay("XK20261125000001").json()
    assert merchant.prepay("XK20261125000001").json() == first
    assert merchant.prepay("XK20261125000001", 2500).json()["code"] == "INVALID_REQUEST"
    assert merchant.prepay("XK20261125000002", 0).json()["code"] == "PARAM_ERROR"
    assert merchant.prepay("短").json()["code"] == "PARAM_ERROR"
    wrong = merchant.prepay("XK20261125000003", notify_url="http://example.com/x").json()
    assert wrong["detail"]["field"] == "notify_url"
    assert merchant.ask("XK20261125000009")["code"] == "ORDER_NOT_EXIST"
    merchant.pay("wechat", "XK20261125000001")
    assert merchant.prepay("XK20261125000001").json()["code"] == "ORDERPAID"
    close = merchant.wechat(
        "POST", "/v3/pay/transactions/out-trade-no/XK20261125000001/close", {"mchid": "1900000109"}
    )
    assert close.json()["code"] == "ORDERPAID"


def test_a_closed_order_is_not_charged_unless_the_channel_errs(merchant):
    merchant.prepay("XK20261125000001")
    target = "/v3/pay/transactions/out-trade-no/XK20261125000001/close"
    for _ in range(2):
        closed = merchant.wechat("POST", target, {"mchid": "1900000109"})
        assert closed.status_code == 204 and wechat_fits(merchant.card, closed.headers, b"")
    assert merchant.ask("XK20261125000001")["trade_state"] == "CLOSED"
    assert merchant.prepay("XK20261125000001").json()["code"] == "ORDER_CLOSED"
    merchant.sim(
        "POST", "trouble", {"channel": "wechat", "out_trade_no": "XK20261125000001", "kind": "late_success"}
    )
    merchant.pay("wechat", "XK20261125000001")
    assert merchant.ask("XK20261125000001")["trade_state"] == "SUCCESS"


def test_an_order_past_its_end_is_closed(merchant):
    merchant.prepay("XK20261125000001", time_expire="2026-11-25T10:30:00+08:00")
    merchant.clock("2026-11-25T10:30:00+08:00")
    assert merchant.ask("XK20261125000001")["trade_state"] == "CLOSED"


def test_refunds_are_bounded_and_never_twice(merchant):
    merchant.prepay("XK20261125000001")
    merchant.pay("wechat", "XK20261125000001")
    first = merchant.refund("XK20261125000001", "R1", 1500).json()
    assert first["status"] == "PROCESSING"
    assert merchant.refund("XK20261125000001", "R1", 1500).json()["refund_id"] == first["refund_id"]
    assert merchant.refund("XK20261125000001", "R1", 500).json()["code"] == "INVALID_REQUEST"
    assert merchant.refund("XK20261125000001", "R2", 501).json()["code"] == "INVALID_REQUEST"
    assert merchant.refund("XK20261125000001", "R2", 500, total=1999).json()["code"] == "INVALID_REQUEST"
    assert merchant.refund("XK20261125000001", "R2", 500).status_code == 200
    assert merchant.ask("XK20261125000001")["trade_state"] == "REFUND"
    merchant.clock("2026-11-25T10:00:02+08:00")
    asked = merchant.wechat("GET", "/v3/refund/domestic/refunds/R1").json()
    assert asked["status"] == "SUCCESS" and asked["amount"]["refund"] == 1500
    told = [merchant.opened(each) for each in merchant.notices() if b"REFUND.SUCCESS" in each["body"]]
    assert {(each["out_refund_no"], each["refund_status"]) for each in told} == {
        ("R1", "SUCCESS"),
        ("R2", "SUCCESS"),
    }


def test_a_refund_can_be_abnormal_and_gives_its_amount_free_again(merchant):
    merchant.prepay("XK20261125000001")
    merchant.pay("wechat", "XK20261125000001")
    order = {"channel": "wechat", "out_trade_no": "XK20261125000001"}
    merchant.sim("POST", "trouble", {**order, "kind": "refund_abnormal"})
    merchant.refund("XK20261125000001", "R1", 2000)
    merchant.clock("2026-11-25T10:00:02+08:00")
    assert merchant.wechat("GET", "/v3/refund/domestic/refunds/R1").json()["status"] == "ABNORMAL"
    assert merchant.refund("XK20261125000001", "R2", 2000).json()["status"] == "PROCESSING"


def test_an_empty_purse_refunds_nothing(merchant):
    merchant.prepay("XK20261125000001")
    merchant.pay("wechat", "XK20261125000001")
    merchant.sim("PUT", "balance", {"wechat_fen": 100})
    assert merchant.refund("XK20261125000001", "R1", 2000).json()["code"] == "NOT_ENOUGH"


@pytest.mark.parametrize("zipped", [False, True])
def test_the_trade_bill_has_two_steps_and_a_digest(merchant, zipped):
    merchant.prepay("XK20261125000001")
    merchant.pay("wechat", "XK20261125000001")
    merchant.clock(NEXT)
    target = "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL" + ("&tar_type=GZIP" if zipped else "")
    made = merchant.wechat("GET", target).json()
    address = made["download_url"].removeprefix(merchant.card["base"])
    assert merchant.client.get(address).status_code == 401
    content = merchant.wechat("GET", address).content
    content = gzip.decompress(content) if zipped else content
    assert hashlib.sha1(content).hexdigest() == made["hash_value"]
    merchant.clock("2026-11-26T10:36:00+08:00")
    assert merchant.wechat("GET", address).json()["code"] == "RESOURCE_NOT_EXISTS"


def test_when_there_is_no_bill(merchant):
    def code(day: str) -> str:
        return merchant.wechat("GET", f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL").json()["code"]

    merchant.prepay("XK20261125000001")
    merchant.pay("wechat", "XK20261125000001")
    assert code("2026-11-25") == "INVALID_REQUEST"
    merchant.clock("2026-11-26T09:59:00+08:00")
    assert code("2026-11-25") == "STATEMENT_CREATING"
    assert code("2026-11-24") == "NO_STATEMENT_EXIST"
    assert code("2026-08-01") == "INVALID_REQUEST"
    assert code("gestern") == "PARAM_ERROR"


def test_pay_sign_of_the_client_is_checked(merchant):
    prepay = merchant.prepay("XK20261125000001").json()["prepay_id"]
    assert merchant.client.get(merchant.cashier(prepay, spoil=True)).status_code == 404
    opened = merchant.client.get(merchant.cashier(prepay), follow_redirects=True)
    assert opened.status_code == 200 and "确认支付" in opened.text and "¥</small>20.00" in opened.text
    page = str(opened.url)
    paid = merchant.client.post(page, data={"act": "pay"}, follow_redirects=True)
    assert "支付成功" in paid.text
    again = merchant.client.post(page, data={"act": "pay"}, follow_redirects=True)
    assert "没有再次扣款" in again.text
    (order,) = merchant.sim("GET", "orders?channel=wechat")
    assert order["charges"] == 1
    assert json.loads(merchant.notices()[0]["body"])["event_type"] == "TRANSACTION.SUCCESS"

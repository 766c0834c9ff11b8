"""Alipay's simulator against docs/interfaces/channels.md §3; signatures by the OpenSSL command."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.merchant import NOTIFY, Merchant, channels, openssl_fits
from xueka.sandbox.channels.alipay import text_of

DAY, NEXT, NUMBER = "2026-11-25T10:00:00+08:00", "2026-11-26T10:30:00+08:00", "XK20261125000001"


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    with channels(tmp_path) as made:
        made.clock(DAY)
        yield made


def test_published_vector_of_the_signed_text():
    values = {"app_id": "2021000000000001", "biz_content": '{"out_trade_no":"XK1"}', "charset": "utf-8"}
    values |= {"method": "alipay.trade.query", "sign_type": "RSA2", "timestamp": "2026-11-26 09:30:00"}
    values |= {"version": "1.0", "notify_url": "", "sign": "x"}
    assert text_of(values, "sign").decode() == (
        'app_id=2021000000000001&biz_content={"out_trade_no":"XK1"}&charset=utf-8&method=alipay.trade.query'
        "&sign_type=RSA2&timestamp=2026-11-26 09:30:00&version=1.0"
    )


def _query(merchant: Merchant) -> dict[str, str]:
    return merchant.alipay("alipay.trade.query", {"out_trade_no": NUMBER})


def _fits(merchant: Merchant, form: dict[str, str]) -> bool:
    text = text_of(form, "sign", "sign_type")
    return openssl_fits(merchant.card["alipay"]["alipay_public_key"], text, form["sign"])


def test_an_order_from_the_page_to_the_notice(merchant):
    assert _query(merchant)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    opened = merchant.wap(NUMBER, return_url="http://127.0.0.1:9/back")
    assert opened.status_code == 303
    page = opened.headers["location"]
    assert _query(merchant)["trade_status"] == "WAIT_BUYER_PAY"
    assert "确认支付" in merchant.client.get(page).text
    paid = merchant.client.post(page, data={"act": "pay"}, follow_redirects=True).text
    assert "支付成功" in paid and "返回商家" in paid
    asked = _query(merchant)
    assert (asked["trade_status"], asked["total_amount"]) == ("TRADE_SUCCESS", "20.00")
    (notice,) = merchant.notices()
    form = dict(parse_qsl(notice["body"].decode()))
    assert _fits(merchant, form)
    told = (form["out_trade_no"], form["trade_status"], form["total_amount"], form["trade_no"])
    assert told == (NUMBER, "TRADE_SUCCESS", "20.00", asked["trade_no"])
    answered = merchant.sim(
        "POST", f"notices/{notice['id']}", {"status": 200, "body": "<html>success</html>"}
    )
    assert answered == {"accepted": False}
    assert merchant.sim("POST", f"notices/{notice['id']}", {"status": 200, "body": "success"})["accepted"]


def test_the_way_back_is_signed(merchant):
    page = merchant.wap(NUMBER, return_url="http://127.0.0.1:9/back?order=1").headers["location"]
    paid = merchant.client.post(page, data={"act": "pay"}, follow_redirects=True).text
    address = paid.split('class="button" href="')[1].split('"')[0].replace("&amp;", "&")
    form = dict(parse_qsl(urlsplit(address).query))
    assert form.pop("order") == "1" and _fits(merchant, form)


def test_wrong_signature_and_wrong_form(merchant):
    form = merchant.alipay_form("alipay.trade.query", {"out_trade_no": NUMBER})
    error = merchant.client.post("/gateway.do", data={**form, "timestamp": "2026-11-26 09:30:01"}).json()
    assert error["error_response"]["sub_code"] == "isv.invalid-signature" and "sign" not in error
    assert (
        merchant.alipay("alipay.trade.refund", {"out_trade_no": NUMBER, "refund_amount": "1"})["code"]
        == "40004"
    )
    merchant.wap(NUMBER)
    assert merchant.wap(NUMBER).status_code == 303
    other = merchant.wap(NUMBER, "21.00").text
    assert "ACQ.CONTEXT_INCONSISTENT" in other


def test_closing(merchant):
    merchant.wap(NUMBER)
    assert merchant.alipay("alipay.trade.close", {"out_trade_no": NUMBER})["code"] == "10000"
    assert _query(merchant)["trade_status"] == "TRADE_CLOSED"
    page = merchant.wap(NUMBER).headers["location"]
    assert "没有扣款" in merchant.client.post(page, data={"act": "pay"}, follow_redirects=True).text
    merchant.client.post(page, data={"act": "late"})
    assert _query(merchant)["trade_status"] == "TRADE_SUCCESS"
    assert (
        merchant.alipay("alipay.trade.close", {"out_trade_no": NUMBER})["sub_code"]
        == "ACQ.TRADE_STATUS_ERROR"
    )


def test_refunds(merchant):
    merchant.wap(NUMBER)
    merchant.pay("alipay", NUMBER)
    ask = {"out_trade_no": NUMBER, "refund_amount": "15.00", "out_request_no": "R1"}
    assert merchant.alipay("alipay.trade.refund", ask)["fund_change"] == "Y"
    assert merchant.alipay("alipay.trade.refund", ask)["fund_change"] == "N"
    over = merchant.alipay("alipay.trade.refund", {**ask, "out_request_no": "R2", "refund_amount": "5.01"})
    assert over["sub_code"] == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    merchant.clock("2026-11-25T10:00:02+08:00")
    look = {"out_trade_no": NUMBER, "out_request_no": "R1"}
    found = merchant.alipay("alipay.trade.fastpay.refund.query", look)
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "15.00")
    unknown = merchant.alipay("alipay.trade.fastpay.refund.query", {**look, "out_request_no": "R9"})
    assert unknown == {"code": "10000", "msg": "Success"}
    rest = merchant.alipay("alipay.trade.refund", {**ask, "out_request_no": "R3", "refund_amount": "5.00"})
    assert rest["refund_fee"] == "20.00"
    assert _query(merchant)["trade_status"] == "TRADE_CLOSED"
    forms = [dict(parse_qsl(each["body"].decode())) for each in merchant.notices()]
    assert {form.get("out_biz_no") for form in forms} == {None, "R1", "R3"}
    assert all(_fits(merchant, form) for form in forms)


def test_the_bill_is_a_zip_with_names_in_gbk(merchant):
    merchant.wap(NUMBER)
    merchant.pay("alipay", NUMBER)
    ask = {"bill_type": "trade", "bill_date": "2026-11-25"}
    method = "alipay.data.dataservice.bill.downloadurl.query"
    assert merchant.alipay(method, ask)["sub_code"] == "ACQ.INVALID_PARAMETER"
    merchant.clock(NEXT)
    assert merchant.alipay(method, {**ask, "bill_date": "2026-11-24"})["sub_code"] == "isp.bill_not_exist"
    address = merchant.alipay(method, ask)["bill_download_url"]
    content = merchant.client.get(address).content
    archive = zipfile.ZipFile(io.BytesIO(content))
    names = [each.orig_filename.encode("cp437").decode("gbk") for each in archive.infolist()]
    assert [each.flag_bits for each in archive.infolist()] == [0, 0]
    assert names == ["2088123456780156_20261125_业务明细(汇总).csv", "2088123456780156_20261125_业务明细.csv"]
    merchant.clock("2026-11-26T10:30:31+08:00")
    assert merchant.client.get(address).status_code == 403


def test_a_notice_goes_nowhere_but_to_the_loopback(merchant):
    assert NOTIFY.startswith("http://127.0.0.1")
    from xueka.sandbox.common.http import call

    assert call("http://192.0.2.1/x", b"", {}, limit=0.1) is None
    assert call("https://127.0.0.1:9/x", b"", {}, limit=0.1) is None

"""The channels' statements, byte for byte in the manner of the published ones (channels.md §6)."""

import base64
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.support.merchant import PEM, Merchant, channels, openssl_fits
from xueka.sandbox.channels.statements import ZM_WIDTHS, ZME_WIDTHS
from xueka.sandbox.channels.unionpay import signed_text

DAY, NEXT = "2026-11-25T10:00:00+08:00", "2026-11-26T10:30:00+08:00"
#: The header and a row of the official SDK's test data (domain facts of the format).
HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
TOTALS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    with channels(tmp_path) as made:
        made.clock(DAY)
        yield made


@pytest.fixture
def day(merchant: Merchant) -> Merchant:
    """Three payments and a refund at each channel."""
    for turn, fen in enumerate((2000, 3500, 1500), 1):
        number = f"XK2026112500000{turn}"
        merchant.prepay(number, fen)
        merchant.pay("wechat", number)
        merchant.wap(number, f"{fen // 100}.00")
        merchant.pay("alipay", number)
        merchant.pay("unionpay", number, amount_fen=fen, subject="学生卡补卡")
    merchant.refund("XK20261125000002", "R1", 1000, total=3500)
    ask = {"out_trade_no": "XK20261125000002", "refund_amount": "10.00", "out_request_no": "R1"}
    merchant.alipay("alipay.trade.refund", ask)
    merchant.clock(NEXT)
    return merchant


def _right(merchant: Merchant, channel: str, kind: str) -> bytes:
    return merchant.sim("GET", f"statement?channel={channel}&kind={kind}&day=2026-11-25")


def test_wechat_trade(day):
    content = _right(day, "wechat", "trade")
    assert content.count(b"\r\n") == content.count(b"\n") == 7 and not content.startswith(b"\xef\xbb\xbf")
    head, *rows, totals_head, totals = content.decode().split("\r\n")[:-1]
    assert (head, totals_head) == (HEADER, TOTALS)
    assert totals == "`4,`70.00,`10.00,`0.00,`0.36000,`70.00,`10.00"
    fields = [dict(zip(head.split(","), row.removeprefix("`").split(",`"), strict=True)) for row in rows]
    payment = next(each for each in fields if each["商户订单号"] == "XK20261125000001")
    assert (payment["订单金额"], payment["手续费"], payment["费率"]) == ("20.00", "0.12000", "0.60%")
    assert payment["商品名称"] == "学生卡补卡， 含快递"
    assert (payment["微信退款单号"], payment["商户退款单号"], payment["退款状态"]) == ("0", "0", "")
    refund = next(each for each in fields if each["交易状态"] == "REFUND")
    assert (refund["商户退款单号"], refund["退款金额"], refund["申请退款金额"]) == ("R1", "10.00", "10.00")
    assert (refund["手续费"], refund["订单金额"], refund["退款类型"]) == ("-0.06000", "0.00", "ORIGINAL")


def test_wechat_trade_of_one_kind(day):
    for kind, columns, count in (("trade.SUCCESS", 20, 3), ("trade.REFUND", 29, 1)):
        lines = _right(day, "wechat", kind).decode().split("\r\n")
        assert len(lines[0].split(",")) == columns, kind
        assert all(len(line.split(",")) == columns for line in lines[1 : count + 1])
        assert lines[-2].startswith(f"`{count},")


def test_wechat_fund_flow(day):
    lines = _right(day, "wechat", "fundflow").decode().split("\r\n")[:-1]
    head, *rows, totals_head, totals = lines
    assert head.split(",")[6:8] == ["收支金额(元)", "账户结余(元)"]
    assert totals_head == "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
    assert totals == "`8,`4,`70.06,`4,`10.42"
    assert {row.split(",`")[3] for row in rows} == {"交易", "退款", "扣除交易手续费"}


def test_alipay_trade(day):
    archive = zipfile.ZipFile(io.BytesIO(_right(day, "alipay", "trade")))
    text = archive.read(archive.infolist()[1]).decode("gb18030")
    lines = text.split("\r\n")
    assert lines[:3] == [
        "#支付宝业务明细查询",
        "#账号：[2088123456780156]",
        "#起始日期：[2026年11月25日 00:00:00]   终止日期：[2026年11月26日 00:00:00]",
    ]
    head, rows = lines[4].split(","), list(csv.reader(lines[5:9]))
    assert len(head) == 25 and all(len(row) == 25 for row in rows)
    assert all(row[0].endswith("\t") and row[1].endswith("\t") for row in rows)
    refund = next(row for row in rows if row[2] == "退款\t")
    assert (refund[11], refund[12], refund[21], refund[22]) == ("-10.00", "-10.00", "R1\t", "0.06")
    assert lines[10] == "#交易合计：4笔，商家实收共60.00元，商家优惠共0.00元"
    assert lines[11].startswith("#导出时间：[2026年11月26日") and lines[12:] == [""]


def test_alipay_money(day):
    archive = zipfile.ZipFile(io.BytesIO(_right(day, "alipay", "signcustomer")))
    text = archive.read(archive.infolist()[1]).decode("gb18030")
    assert "#支出合计：4笔，共-10.42元" in text and "#收入合计：4笔，共70.06元" in text


def _download(merchant: Merchant, **change: str) -> dict[str, str]:
    values = {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "txnType": "76",
        "txnSubType": "01",
        "bizType": "000000",
        "accessType": "0",
        "fileType": "00",
        "merId": "777290058110048",
        "settleDate": "1125",
        "txnTime": "20261126103000",
        "certId": str(int(merchant.serial, 16)),
        **change,
    }
    values["signature"] = merchant.sign(signed_text(values))
    answer = merchant.client.post("/unionpay/file", data=values).text
    found = dict(parse_qsl(answer, keep_blank_values=True))
    certificate = x509.load_pem_x509_certificate(merchant.card["unionpay"]["certificate"].encode())
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    key = certificate.public_key().public_bytes(PEM, spki).decode()
    assert openssl_fits(key, signed_text(found), found["signature"])
    assert quote(found["signature"], safe="") in answer
    return found


def test_unionpay_file(day):
    assert (sum(ZM_WIDTHS) + 41, len(ZM_WIDTHS), len(ZME_WIDTHS)) == (607, 42, 22)
    answer = _download(day)
    packed = zlib.decompress(base64.b64decode(answer["fileContent"]))
    archive = zipfile.ZipFile(io.BytesIO(packed))
    assert archive.namelist() == ["INN26112588ZM_777290058110048", "INN26112588ZME_777290058110048"]
    content = archive.read("INN26112588ZM_777290058110048")
    lines = content.split(b"\r\n")[:-1]
    assert [len(line) for line in lines] == [607, 607, 607]
    fields, at = [], 0
    for width in ZM_WIDTHS:
        fields.append(lines[0][at : at + width].decode("gbk"))
        at += width + 1
    assert fields[11].rstrip() == "XK20261125000001" and fields[6] == "000000002000"
    assert (fields[19], fields[15], fields[16]) == ("01", "D000000000012", "C000000001988")


def test_unionpay_refuses(day):
    assert _download(day, settleDate="1124")["respCode"] == "98"
    assert _download(day, settleDate="abc")["respCode"] == "10"
    assert _download(day, merId="1")["respCode"] == "05"
    assert _download(day, certId="1")["respCode"] == "11"
    day.clock("2026-11-26T09:00:00+08:00")
    assert _download(day)["respCode"] == "03"


def test_a_statement_never_changes_once_it_was_handed_out(day):
    def taken() -> bytes:
        made = day.wechat("GET", "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL").json()
        return day.wechat("GET", made["download_url"].removeprefix(day.card["base"])).content

    first = taken()
    assert first == _right(day, "wechat", "trade.ALL")
    day.pay("wechat", "XK20261125000001", force=True, at=DAY)
    assert taken() == first != _right(day, "wechat", "trade.ALL")


def test_a_wrong_statement_is_on_record(day):
    day.sim("PUT", "dial", {"statement_wrong": 1})
    made = day.wechat("GET", "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL").json()
    content = day.wechat("GET", made["download_url"].removeprefix(day.card["base"])).content
    assert content != _right(day, "wechat", "trade.ALL")
    assert [each["kind"] for each in day.sim("GET", "faults")] == ["statement_wrong"]


def test_a_late_statement_comes_at_the_fourth_ask(day):
    day.sim("PUT", "dial", {"statement_late": 1})
    codes = [
        day.wechat("GET", "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL").json().get("code")
        for _ in range(4)
    ]
    assert codes == ["STATEMENT_CREATING"] * 3 + [None]

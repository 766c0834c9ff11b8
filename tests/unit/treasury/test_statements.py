"""What each form of statement says, and what is said of one that is broken."""

import gzip
import hashlib
from datetime import date
from random import Random

import pytest

from tests.support import statements as made
from xueka.contexts.treasury.api import check
from xueka.contexts.treasury.domain.formats.lines import Checked, Line
from xueka.kernel.errors import BadInput

ZM_NAME = "INN26101488ZM_777290058110097"
DETAIL = "20881234567801560156_20261014_业务明细.csv"


def wechat(count: int = 20, seed: int = 1) -> bytes:
    return made.wechat(made.trade_rows(Random(seed), count), made.TRADE_SUMS)


def test_a_trade_statement_by_header_name_in_any_order() -> None:
    rows = made.trade_rows(Random(3), 30)
    checked = check("a.csv", made.wechat(rows, made.TRADE_SUMS), "wechat", day=made.DAY)
    turned = [dict(reversed(row.items())) | {"新增列": "x"} for row in rows]
    again = check("a.csv", made.wechat(turned, made.TRADE_SUMS), "wechat")
    assert (again.lines, again.errors) == (checked.lines, [])
    assert (checked.rows, checked.payments + checked.refunds) == (30, 30)
    first = checked.lines[0]
    assert (first.number, first.of_number) == (rows[0]["商户订单号"],) * 2 or first.kind == "refund"
    assert checked.days == [made.DAY]


def test_a_payment_file_without_the_columns_of_refunds() -> None:
    rows = [row for row in made.trade_rows(Random(4), 20) if row["交易状态"] == "SUCCESS"]
    gone = {"微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态"}
    gone |= {"申请退款金额"}
    less = [{name: cell for name, cell in row.items() if name not in gone} for row in rows]
    sums = {name: column for name, column in made.TRADE_SUMS.items() if column not in gone}
    told = {"退款总金额": "0.00", "充值券退款总金额": "0.00", "申请退款总金额": "0.00"}
    checked = check("a.csv", made.wechat(less, sums, told), "wechat")
    assert (checked.payments, checked.errors) == (len(rows), [])


def test_a_nontax_statement_carries_payment_codes() -> None:
    rows = made.trade_rows(Random(5), 12, made.NONTAX)
    checked = check("a.csv", made.wechat(rows, made.NONTAX_SUMS), "wechat-nontax")
    assert checked.errors == []
    assert [line.pay_code for line in checked.lines] == [f"1100002630{n:010d}" for n in range(12)]
    assert checked.amount_fen == sum(line.amount_fen for line in checked.lines if line.kind == "payment") > 0


def test_a_fund_flow_says_what_it_cost() -> None:
    rows = made.flow_rows(Random(6), 40)
    checked = check("a.csv", made.fund_flow(rows), "wechat-fund")
    fees = [row for row in rows if row["业务类型"] == "扣除交易手续费"]
    assert (checked.errors, checked.rows, checked.fee_fen) == ([], 40, 12 * len(fees))
    assert checked.payments == sum(row["业务类型"] == "交易" for row in rows)
    assert checked.refunds == sum(row["业务类型"] == "退款" for row in rows)


def test_alipay_from_the_zip_with_names_in_gbk() -> None:
    rows = made.business_rows(Random(7), 30)
    members = {DETAIL.replace("明细.csv", "明细(汇总).csv"): b"#\r\n", DETAIL: made.alipay(rows)}
    checked = check("a.zip", made.zipped(members), "alipay")
    assert (checked.errors, checked.rows) == ([], 30)
    assert checked.refunds == sum("退款" in row["业务类型"] for row in rows) > 0
    plain = check("a.csv", made.alipay(rows), "alipay")
    assert plain.lines == checked.lines
    assert {line.merchant for line in plain.lines} == {"20881234567801560156"}


def test_alipay_refunds_above_zero_are_refunds_as_well() -> None:
    rows = made.business_rows(Random(8), 30)
    net = sum(made._millifen(row["商家实收（元）"]) for row in rows) // 1000
    told = f"#交易合计：30笔，商家实收共{made.yuan(net)}元，商家优惠共0.00元"
    positive = [
        {
            name: cell.lstrip("-") if name in ("订单金额（元）", "商家实收（元）") else cell
            for name, cell in row.items()
        }
        for row in rows
    ]
    checked = check("a.csv", made.alipay(positive, told), "alipay")
    assert checked.errors == []
    assert checked.refund_fen == check("a.csv", made.alipay(rows), "alipay").refund_fen > 0


def test_alipay_fund() -> None:
    name = DETAIL.replace("业务明细", "账务明细")
    checked = check("a.zip", made.zipped({name: made.alipay_fund(Random(9), 25)}), "alipay-fund")
    assert (checked.errors, checked.rows, checked.payments + checked.refunds) == ([], 25, 25)


def test_a_fee_that_alipay_gives_back_is_no_payment() -> None:
    content = made.alipay_fund(Random(9), 25)
    given_back = content.replace("在线支付".encode("gb18030"), "退费".encode("gb18030"))
    before, after = (check("a.csv", each, "alipay-fund") for each in (content, given_back))
    assert (before.payments > 0, after.payments, after.refunds) == (True, 0, before.refunds)
    assert (before.fee_fen, after.fee_fen) == (0, -2000 * before.payments)


def test_unionpay_by_the_widths_with_chinese_in_between() -> None:
    rows = [made.zm_row(Random(n), n) for n in range(20)]
    rows[3][30] = "学生卡服务中心"  # the short name of a second-level merchant, two bytes a character
    checked = check(ZM_NAME, made.zm(rows), "unionpay", day=made.DAY)
    assert (checked.errors, checked.rows, checked.payments + checked.refunds) == ([], 20, 20)
    refund = next(line for line in checked.lines if line.kind == "refund")
    assert (refund.of_number[:10], refund.fee_millifen < 0) == ("XK20261013", True)
    both = made.zipped({ZM_NAME: made.zm(rows), ZM_NAME.replace("ZM", "ZME"): b""})
    assert check("files.zip", both, "unionpay").rows == 20, "a day without disputes"


def test_times_without_a_year_lie_before_the_settlement_day() -> None:
    row = made.zm_row(Random(1), 1)
    row[4] = "1231235959"
    [line] = check("INN27010188ZM_777290058110097", made.zm([row]), "unionpay").lines
    assert line.at.date() == date(2026, 12, 31)


def test_fees_are_summed_as_they_stand_and_rounded_once() -> None:
    def fee(*millifen: int) -> int:
        at = made.datetime(2026, 10, 14)
        lines = [Line(n, "payment", at, "", "", "", "", 1, fee, "", "", "") for n, fee in enumerate(millifen)]
        return Checked(lines=lines).fee_fen

    assert [fee(499), fee(500), fee(400, 400), fee(-500), fee(-501), fee()] == [0, 1, 1, 0, -1, 0]


@pytest.mark.parametrize(
    ("name", "raw", "kind", "code"),
    [
        ("a.csv", b"", "wechat", "STATEMENT_EMPTY"),
        ("a.csv", b"\xff\xfe\x00", "wechat", "STATEMENT_ENCODING"),
        ("a.csv", "交易时间,商户号\r\n".encode(), "wechat", "STATEMENT_HEADER"),
        ("a.csv", wechat().replace("交易类型".encode(), "交易状态".encode()), "wechat", "STATEMENT_HEADER"),
        ("a.csv", wechat().partition("总交易单数".encode())[0], "wechat", "STATEMENT_CUT"),
        ("a.csv", gzip.compress(wechat())[:200], "wechat", "STATEMENT_ARCHIVE"),
        ("a.zip", b"PK\x03\x04" + b"\x00" * 50, "alipay", "STATEMENT_ARCHIVE"),
        ("a.zip", made.zipped({"别的.csv": b"#"}), "alipay", "STATEMENT_MEMBER"),
        ("a.csv", "#支付宝\r\n".encode("gbk"), "alipay", "STATEMENT_CUT"),
        ("ZM.txt", b"x", "unionpay", "STATEMENT_MEMBER"),
        ("INN26133388ZM_777290058110097", b"x", "unionpay", "STATEMENT_MEMBER"),
        ("a.csv", b"x", "paypal", "STATEMENT_KIND"),
    ],
)
def test_what_is_broken_as_a_whole_is_refused_whole(name: str, raw: bytes, kind: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check(name, raw, kind)
    error = refused.value
    assert (error.code, bool(error.where), bool(error.action)) == (code, True, True)


def test_gzip_and_the_digest_of_the_unpacked_file() -> None:
    raw = wechat()
    digest = hashlib.sha1(raw).hexdigest()
    assert check("a.gz", gzip.compress(raw), "wechat", sha1=digest).errors == []
    with pytest.raises(BadInput) as refused:
        check("a.csv", raw + b"\r\n", "wechat", sha1=digest)
    assert refused.value.code == "STATEMENT_DIGEST"


def test_another_days_statement_is_refused() -> None:
    with pytest.raises(BadInput) as refused:
        check("a.csv", wechat(), "wechat", day=date(2026, 10, 15))
    assert (refused.value.code, refused.value.expected) == ("STATEMENT_DAY", "2026-10-15")
    with pytest.raises(BadInput) as refused:
        check(ZM_NAME, made.zm([made.zm_row(Random(1), 1)]), "unionpay", day=date(2026, 10, 15))
    assert refused.value.code == "STATEMENT_DAY"

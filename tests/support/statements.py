"""Statements as the channels write them, from rows of cells: sound ones, so that a test may spoil them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from random import Random


def _columns(text: str) -> list[str]:
    return "".join(text.split()).split(",")


TRADE = _columns(
    """交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,
    应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,
    手续费,费率,订单金额,申请退款金额,费率备注"""
)
TRADE_SUMS = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
NONTAX = _columns(
    """交易时间,公众账号ID,商户号,子商户号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,
    企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,手续费,费率,行政区划代码,
    缴费通知书编号(或平台订单号),执收单位编码,通知书类型,银行ID"""
)
NONTAX_SUMS = {
    "总交易额": "总金额",
    "总退款金额": "退款金额",
    "总企业红包退款金额": "企业红包退款金额",
    "手续费总金额": "手续费",
}
FLOW = _columns(
    """记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,
    备注,业务凭证号"""
)
BUSINESS = _columns(
    """支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,
    订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,
    商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"""
)
FUND = _columns(
    """账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,
    交易渠道,业务类型,备注"""
)
ZM_WIDTHS = (
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2,
    6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
)  # fmt: skip
DAY = date(2026, 10, 14)
Cells = dict[str, str]


def yuan(fen: int) -> str:
    whole, part = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{part:02d}"


def fine(millifen: int) -> str:
    whole, part = divmod(abs(millifen), 100_000)
    return f"{'-' if millifen < 0 else ''}{whole}.{part:05d}"


def moment(dice: Random) -> str:
    at = datetime(DAY.year, DAY.month, DAY.day) + timedelta(seconds=dice.randrange(86_400))
    return f"{at:%Y-%m-%d %H:%M:%S}"


def trade_rows(dice: Random, count: int, header: Sequence[str] = TRADE) -> list[Cells]:
    """Payments and refunds in the columns of a trade or a non-tax statement."""
    rows = []
    for n in range(count):
        refund = dice.random() < 0.3
        fen = dice.choice((1500, 2000, 3500))
        fee = fen * 6 * (-1 if refund else 1)
        cells = dict.fromkeys(header, "") | {
            "交易时间": moment(dice),
            "公众账号ID": "wx8888888888888888",
            "商户号": "1900000109",
            "微信订单号": f"42000{dice.randrange(10**18):018d}{n:04d}",
            "商户订单号": f"XK20261014{n:08d}",
            "交易类型": "JSAPI",
            "交易状态": "REFUND" if refund else "SUCCESS",
            "付款银行": "OTHERS",
            "货币种类": "CNY",
            "微信退款单号": f"50300{dice.randrange(10**18):018d}{n:04d}" if refund else "0",
            "商户退款单号": f"RXK20261014{n:08d}" if refund else "0",
            "退款金额": yuan(fen if refund else 0),
            "退款状态": dice.choice(("SUCCESS", "PROCESSING")) if refund else "",
            "商品名称": dice.choice(("学生卡补卡", "学生卡,换卡", "补卡（含快递）")),
            "手续费": fine(fee),
        }
        amount = yuan(0 if refund else fen)
        cells |= {name: amount for name in ("应结订单金额", "订单金额", "总金额") if name in header}
        cells |= {name: yuan(fen if refund else 0) for name in ("申请退款金额",) if name in header}
        zeros = ("代金券金额", "充值券退款金额", "企业红包金额", "企业红包退款金额")
        cells |= {name: "0.00" for name in zeros if name in header}
        if "缴费通知书编号(或平台订单号)" in header:
            cells["缴费通知书编号(或平台订单号)"] = f"1100002630{n:010d}"
        rows.append(cells)
    return rows


def flow_rows(dice: Random, count: int) -> list[Cells]:
    rows, balance = [], 100_000
    for n in range(count):
        what = dice.choice(("交易", "交易", "退款", "扣除交易手续费"))
        fen = dice.choice((1500, 2000)) if what != "扣除交易手续费" else 12
        balance += fen if what == "交易" else -fen
        side = "收入" if what == "交易" else "支出"
        values = (moment(dice), f"42000{n:023d}", f"90{n:026d}", what, what, side,
                  yuan(fen), yuan(balance), "system", "", f"XK{n:08d}")  # fmt: skip
        rows.append(dict(zip(FLOW, values, strict=True)))
    return rows


def wechat(
    rows: Sequence[Mapping[str, str]],
    sums: Mapping[str, str],
    told: Mapping[str, str] | None = None,
    count: str = "总交易单数",
) -> bytes:
    """The file. `told` are the totals where they shall not be those of the rows."""
    header = list(rows[0])
    totals = {count: str(len(rows))}
    for name, column in sums.items():
        millifen = sum(_millifen(row[column]) for row in rows)
        totals[name] = fine(millifen) if column == "手续费" else yuan(millifen // 1000)
    totals |= told or {}
    lines = [",".join(header)]
    lines += [",".join(f"`{row[name]}" for name in header) for row in rows]
    lines += [",".join(totals), ",".join(f"`{text}" for text in totals.values()), ""]
    return "\r\n".join(lines).encode()


def fund_flow(rows: Sequence[Mapping[str, str]]) -> bytes:
    told = {"资金流水总笔数": str(len(rows))}
    for side in ("收入", "支出"):
        amounts = [_millifen(row["收支金额(元)"]) for row in rows if row["收支类型"] == side]
        told |= {f"{side}笔数": str(len(amounts)), f"{side}金额": yuan(sum(amounts) // 1000)}
    return wechat(rows, {}, told, "资金流水总笔数")


def business_rows(dice: Random, count: int) -> list[Cells]:
    rows = []
    for n in range(count):
        refund = dice.random() < 0.3
        fen = dice.choice((1500, 2000, 3500)) * (-1 if refund else 1)
        at = moment(dice)
        cells = dict.fromkeys(BUSINESS, "") | {
            "支付宝交易号": f"20261014220014{dice.randrange(10**12):012d}{n:04d}\t",
            "商户订单号": f"XK20261014{n:08d}\t",
            "业务类型": "退款\t" if refund else "交易\t",
            "商品名称": "学生卡补卡",
            "创建时间": at,
            "完成时间": at,
            "订单金额（元）": yuan(fen),
            "商家实收（元）": yuan(fen),
            "商家优惠（元）": "0.00",
            "退款批次号/请求号": f"R{n}\t" if refund else "\t",
            "服务费（元）": yuan(-fen * 6 // 1000),
        }
        rows.append(cells)
    return rows


def alipay(rows: Sequence[Mapping[str, str]], told: str | None = None) -> bytes:
    header = list(rows[0])
    fen = sum(_millifen(row["商家实收（元）"]) for row in rows) // 1000
    head = ["#支付宝业务明细查询", "#账号：[20881234567801560156]", f"#{'-' * 9}业务明细列表{'-' * 9}"]
    tail = [f"#{'-' * 9}业务明细列表结束{'-' * 9}",
            told or f"#交易合计：{len(rows)}笔，商家实收共{yuan(fen)}元，商家优惠共0.00元",
            "#导出时间：[2026年10月15日 10:21:07]", ""]  # fmt: skip
    body = [",".join(header), *(",".join(row[name] for name in header) for row in rows)]
    return "\r\n".join([*head, *body, *tail]).encode("gb18030")


def alipay_fund(dice: Random, count: int) -> bytes:
    rows, sides = [], {"+": [0, 0], "-": [0, 0]}
    for n in range(count):
        side = dice.choice("+-")
        sides[side][0] += 1
        sides[side][1] += 2000
        values = (f"3{n:019d}\t", f"2026{n:020d}\t", f"XK{n}\t", "补卡", moment(dice), "a***@example.test",
                  "20.00" if side == "+" else "", "-20.00" if side == "-" else "", "100.00", "支付宝",
                  "在线支付" if side == "+" else "交易退款", "")  # fmt: skip
        rows.append(",".join(values))
    out, income = sides["-"], sides["+"]
    tail = [
        f"#支出合计：{out[0]}笔，共-{yuan(out[1])}元",
        f"#收入合计：{income[0]}笔，共{yuan(income[1])}元",
        "#导出时间：[2026年10月15日 10:21:07]",
    ]
    return "\r\n".join(["#支付宝账务明细查询", ",".join(FUND), *rows, *tail, ""]).encode("gb18030")


class _Member(zipfile.ZipInfo):
    """A name in GBK without the flag, as Alipay writes it; zipfile would rather write UTF-8 and say so."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("gb18030"), self.flag_bits


def zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(_Member(name), content)
    return out.getvalue()


def zm_row(dice: Random, n: int) -> list[str]:
    refund = dice.random() < 0.3
    fen = dice.choice((1500, 2000))
    fields = [""] * len(ZM_WIDTHS)
    fields[0] = "S22"
    fields[4] = f"1014{dice.randrange(24):02d}{dice.randrange(60):02d}{dice.randrange(60):02d}"
    fields[6] = f"{fen:012d}"
    fields[9] = f"{dice.randrange(10**17):017d}{n:04d}"
    fields[11] = f"XK20261014{n:08d}"
    fields[15] = f"{'C' if refund else 'D'}{fen * 6 // 1000:012d}"
    fields[16] = f"{'D' if refund else 'C'}{fen:012d}"
    fields[19] = "04" if refund else "01"
    fields[26] = f"{n:021d}" if refund else ""
    fields[27] = "777290058110097"
    fields[40] = f"XK20261013{n:08d}" if refund else ""
    return fields


def zm(rows: Sequence[Sequence[str]]) -> bytes:
    lines = []
    for fields in rows:
        padded = [f.encode("gb18030").ljust(width) for f, width in zip(fields, ZM_WIDTHS, strict=True)]
        lines.append(b" ".join(padded) + b"\r\n")
    return b"".join(lines)


def _millifen(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.strip("-").partition(".")
    return sign * (int(whole) * 100_000 + int(part.ljust(5, "0")))

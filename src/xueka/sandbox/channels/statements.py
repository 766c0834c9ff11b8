"""Statements in the channels' own file forms (channels.md §6). What was handed out once stays as it is."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from xueka.sandbox.channels import movements
from xueka.sandbox.channels.book import Book
from xueka.sandbox.channels.movements import Movement
from xueka.sandbox.common.dial import BEIJING

APPID, MCHID, SELLER = "wx8888888888888888", "1900000109", "2088123456780156"
UNIONPAY_MERCHANT = "777290058110048"
MADE_AT = time(10)
LATE_TIMES = 3  # asks that a late statement is not ready for

SUCCESS_COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额"
)
REFUND_COLUMNS = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态"
LAST_COLUMNS = "商品名称,商户数据包,手续费,费率,订单金额"
TRADE_TOTALS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
FLOW_HEAD = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FLOW_TOTALS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
ALIPAY_HEAD = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
ALIPAY_FUND_HEAD = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,"
    "交易渠道,业务类型,备注"
)
ZM_WIDTHS = (
    *(
        3,
        11,
        11,
        6,
        10,
        19,
        12,
        4,
        2,
        21,
        2,
        32,
        2,
        6,
        10,
        13,
        13,
        4,
        15,
        2,
        2,
        6,
        2,
        4,
        32,
        1,
        21,
        15,
        1,
        15,
        32,
    ),
    *(13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
ZME_WIDTHS = (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135)
#: Fields of ZM that are numbers: filled with zeros on the left. The others are texts.
ZM_NUMBERS = frozenset({4, 5, 7, 14, 15})


class NoStatement(Exception):
    """Nothing moved on that day."""


class NotReady(Exception):
    """Before ten o'clock of the next day, or late."""


class Statements:
    def __init__(self, book: Book) -> None:
        self._book = book

    def issued(self, channel: str, kind: str, day: date) -> bytes:
        """What the channel hands out, with its faults. Raises NoStatement, NotReady."""
        store, dial = self._book.store, self._book.dial
        now = self._book.clock.now()
        if now < datetime.combine(day + timedelta(days=1), MADE_AT, BEIJING):
            raise NotReady
        kept = store.one(
            "select content from statement where channel = ? and kind = ? and day = ?",
            channel,
            kind,
            day.isoformat(),
        )
        if kept:
            return bytes(kept["content"])
        found = movements.of_day(self._book, channel, day)
        if not found or kind.endswith((".OPERATION", ".FEES")):
            raise NoStatement
        late = dial.strikes("statement_late", f"{channel}/{day}")
        if late and store.number(f"late.{channel}.{kind}.{day}") <= LATE_TIMES:
            dial.record("statement_late", channel, day.isoformat(), kind)
            raise NotReady
        with store.work():
            rows, trouble = movements.spoilt(self._book, channel, day, found)
            content = self._write(channel, kind, day, rows, trouble)
            store.insert("statement", channel=channel, kind=kind, day=day.isoformat(), content=content)
            return content

    def right(self, channel: str, kind: str, day: date) -> bytes:
        """Without faults, at any hour; empty when nothing moved."""
        found = movements.of_day(self._book, channel, day)
        return self._write(channel, kind, day, found, "") if found else b""

    def _write(self, channel: str, kind: str, day: date, rows: list[Movement], trouble: str) -> bytes:
        match channel, kind.partition(".")[0]:
            case "wechat", "trade":
                content = wechat_trade(rows, kind.partition(".")[2] or "ALL", trouble)
            case "wechat", "fundflow":
                content = wechat_flow(rows, trouble)
            case "alipay", "trade":
                return alipay_trade(rows, day, self._book.clock.now(), trouble)
            case "alipay", _:
                return alipay_fund(rows, day, self._book.clock.now(), trouble)
            case _:
                return unionpay(rows, day, trouble)
        return content[: len(content) * 2 // 3] if trouble == "cut_off" else content


def yuan(fen: int) -> str:
    sign, fen = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def five(fee: int) -> str:
    """Hundred-thousandths of a yuan."""
    sign, fee = ("-" if fee < 0 else ""), abs(fee)
    return f"{sign}{fee // 100_000}.{fee % 100_000:05d}"


def _clock(at: str) -> str:
    return at[:19].replace("T", " ")


def _plain(text: str) -> str:
    """A text that cannot break a line of fields."""
    return text.replace(",", "，").replace("`", "’").replace("\r", " ").replace("\n", " ")


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def wechat_trade(rows: Sequence[Movement], sort: str, trouble: str = "") -> bytes:
    """Sort is ALL, SUCCESS or REFUND: other columns each."""
    refunds, payments = sort != "SUCCESS", sort != "REFUND"
    shown = [each for each in rows if (refunds if each.is_refund else payments)]
    head = [SUCCESS_COLUMNS]
    if sort == "REFUND":
        head.append("退款申请时间,退款成功时间")
    if refunds:
        head.append(REFUND_COLUMNS)
    head += [LAST_COLUMNS, *(["申请退款金额"] if refunds else []), "费率备注"]
    lines = [",".join(head)]
    for each in shown:
        back = each.is_refund
        fields = [_clock(each.at), APPID, MCHID, "0", "", each.channel_id, each.number, each.payer, "JSAPI"]
        state = "REFUND" if back else each.state
        fields += [state, each.bank, "CNY", yuan(0 if back else each.fen), "0.00"]
        if sort == "REFUND":
            fields += [_clock(each.at), _clock(each.ended)]
        if refunds:
            fields += [each.refund_id or "0", each.refund_no or "0", yuan(each.fen if back else 0), "0.00"]
            fields += ["ORIGINAL", _refund_word(each.state)] if back else ["", ""]
        fields += [_plain(each.subject), _plain(each.attach), five(each.fee), "0.60%"]
        fields += [yuan(0 if back else each.total), *([yuan(each.fen if back else 0)] if refunds else []), ""]
        lines.append(",".join(f"`{field}" for field in fields))
    paid = sum(each.fen for each in shown if not each.is_refund)
    returned = sum(each.fen for each in shown if each.is_refund)
    if trouble == "totals_wrong":
        paid += 100
    totals = [str(len(shown)), yuan(paid), yuan(returned), "0.00"]
    totals += [five(sum(each.fee for each in shown)), yuan(paid), yuan(returned)]
    return _lines([*lines, TRADE_TOTALS, ",".join(f"`{field}" for field in totals)])


def _refund_word(state: str) -> str:
    return {"ABNORMAL": "CHANGE", "CLOSED": "FAIL"}.get(state, state)


def wechat_flow(rows: Sequence[Movement], trouble: str = "") -> bytes:
    lines, balance = [FLOW_HEAD], 0
    come: list[int] = []
    gone: list[int] = []
    for each in rows:
        if each.is_refund and each.state in ("ABNORMAL", "CLOSED"):
            continue
        back = each.is_refund
        net = each.fee_fen
        parts = [("退款", "支出", each.fen)] if back else [("交易", "收入", each.fen)]
        if net:
            parts.append(("扣除交易手续费", "收入" if back else "支出", abs(net)))
        for turn, (sort, way, fen) in enumerate(parts, 1):
            balance += fen if way == "收入" else -fen
            (come if way == "收入" else gone).append(fen)
            business = each.refund_id if back else each.channel_id
            fields = [_clock(each.at), each.channel_id, f"{business[-20:]}{turn}", sort, sort, way]
            fields += [
                yuan(fen),
                yuan(balance),
                "system",
                _plain(each.subject),
                each.refund_no or each.number,
            ]
            lines.append(",".join(f"`{field}" for field in fields))
    if trouble == "totals_wrong":
        come.append(100)
    totals = [str(len(lines) - 1), str(len(come)), yuan(sum(come)), str(len(gone)), yuan(sum(gone))]
    return _lines([*lines, FLOW_TOTALS, ",".join(f"`{field}" for field in totals)])


def _alipay_head(title: str, part: str, day: date) -> list[str]:
    following = day + timedelta(days=1)
    return [
        f"#支付宝{title}",
        f"#账号：[{SELLER}]",
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{following:%Y年%m月%d日} 00:00:00]",
        f"#{'-' * 41}{part}{'-' * 40}",
    ]


def alipay_trade(rows: Sequence[Movement], day: date, now: datetime, trouble: str = "") -> bytes:
    lines = [*_alipay_head("业务明细查询", "业务明细列表", day), ALIPAY_HEAD]
    for each in rows:
        sign = -1 if each.is_refund else 1
        at = _clock(each.at)
        fields = [f"{each.channel_id}\t", f"{each.number}\t", f"{'退款' if each.is_refund else '交易'}\t"]
        fields += [_plain(each.subject), at, at, "\t", "", "", "\t", _account(each.payer)]
        fields += [yuan(sign * each.fen), yuan(sign * each.fen), *["0.00"] * 5, "", "0.00", "0.00"]
        fields += [f"{each.refund_no}\t", yuan(-each.fee_fen), "0.00", ""]
        lines.append(",".join(fields))
    lines.append(f"#{'-' * 41}业务明细列表结束{'-' * 36}")
    net = sum(-each.fen if each.is_refund else each.fen for each in rows)
    if trouble == "totals_wrong":
        net += 100
    lines.append(f"#交易合计：{len(rows)}笔，商家实收共{yuan(net)}元，商家优惠共0.00元")
    lines.append(f"#导出时间：[{now:%Y年%m月%d日 %H:%M:%S}]")
    if trouble == "cut_off":
        lines = lines[: len(lines) * 2 // 3]
    summary = ["#支付宝业务汇总查询", f"#账号：[{SELLER}]", f"#交易合计：{len(rows)}笔"]
    name = f"{SELLER}_{day:%Y%m%d}"
    return _gbk_zip([(f"{name}_业务明细(汇总).csv", summary), (f"{name}_业务明细.csv", lines)])


def _account(payer: str) -> str:
    return f"*某(138****{sum(payer.encode()) % 10_000:04d})"


def alipay_fund(rows: Sequence[Movement], day: date, now: datetime, trouble: str = "") -> bytes:
    lines = [*_alipay_head("账务明细查询", "账务明细列表", day), ALIPAY_FUND_HEAD]
    balance = 0
    come: list[int] = []
    gone: list[int] = []
    for each in rows:
        back = each.is_refund
        parts = [("交易退款", -each.fen)] if back else [("在线支付", each.fen)]
        if each.fee_fen:
            parts.append(("退费" if back else "收费", -each.fee_fen))
        for turn, (sort, fen) in enumerate(parts, 1):
            balance += fen
            (come if fen > 0 else gone).append(fen)
            entry = f"{(each.refund_id or each.channel_id)[-18:]}{turn}"
            fields = [f"{entry}\t", f"{each.channel_id}\t", f"{each.number}\t", _plain(each.subject)]
            fields += [_clock(each.at), _account(each.payer), yuan(fen) if fen > 0 else "", ""]
            fields[-1] = yuan(fen) if fen < 0 else ""
            lines.append(",".join([*fields, yuan(balance), "支付宝", sort, each.refund_no]))
    lines.append(f"#{'-' * 41}账务明细列表结束{'-' * 36}")
    if trouble == "totals_wrong":
        come.append(100)
    lines += [
        f"#支出合计：{len(gone)}笔，共{yuan(sum(gone))}元",
        f"#收入合计：{len(come)}笔，共{yuan(sum(come))}元",
    ]
    lines.append(f"#导出时间：[{now:%Y年%m月%d日 %H:%M:%S}]")
    name = f"{SELLER}_{day:%Y%m%d}"
    summary = ["#支付宝账务汇总查询", f"#账号：[{SELLER}]"]
    if trouble == "cut_off":
        lines = lines[: len(lines) * 2 // 3]
    return _gbk_zip([(f"{name}_账务明细(汇总).csv", summary), (f"{name}_账务明细.csv", lines)])


def _gbk_zip(members: Sequence[tuple[str, Sequence[str]]]) -> bytes:
    """Member names are GBK bytes without the UTF-8 flag, as Alipay's are; method stored."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, lines in members:
            info = GbkName(name.encode("gbk").decode("cp437"), (2024, 1, 1, 0, 0, 0))
            archive.writestr(info, "".join(f"{line}\r\n" for line in lines).encode("gb18030"))
    return packed.getvalue()


class GbkName(zipfile.ZipInfo):
    """A member whose name bytes go into the archive as they are."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("cp437"), self.flag_bits


def unionpay(rows: Sequence[Movement], day: date, trouble: str = "") -> bytes:
    """A zip with ZM and ZME; there are no totals in it, so `totals_wrong` falls on nothing."""
    body = b"".join(_fixed(_zm(turn, each), ZM_WIDTHS) for turn, each in enumerate(rows, 1))
    if trouble == "cut_off":
        body = body[: len(body) * 2 // 3]
    packed, name = io.BytesIO(), f"INN{day:%y%m%d}88"
    with zipfile.ZipFile(packed, "w") as archive:
        for kind, content in (("ZM", body), ("ZME", b"")):
            info = zipfile.ZipInfo(f"{name}{kind}_{UNIONPAY_MERCHANT}", (2024, 1, 1, 0, 0, 0))
            archive.writestr(info, content)
    return packed.getvalue()


def _zm(turn: int, each: Movement) -> dict[int, str]:
    """By field number; the others are blank."""
    back = each.is_refund
    net = each.fen - abs(each.fee_fen)
    moment = f"{each.at[5:7]}{each.at[8:10]}{each.at[11:13]}{each.at[14:16]}{each.at[17:19]}"
    fields = {
        1: "S04" if back else "S22",
        2: "00010000",
        3: "00010000",
        4: str(turn),
        5: moment,
        6: "621081******0001",
        7: str(each.fen),
        8: "8299",
        9: "08",
        10: each.refund_id[-21:] if back else each.channel_id,
        12: each.refund_no or each.number,
        13: "01",
        14: "0",
        15: "0",
        16: f"{'C' if back else 'D'}{abs(each.fee_fen):012d}",
        17: f"{'D' if back else 'C'}{net:012d}",
        18: "0001",
        19: UNIONPAY_MERCHANT,
        20: "04" if back else "01",
        21: "00" if back else "01",
        22: "000201",
        23: "01",
        28: UNIONPAY_MERCHANT,
        33: f"{'D' if back else 'C'}{net:012d}",
        34: "01080209",
    }
    if each.state == "REVOKED":
        fields[20] = "31"
    if back:
        fields |= {27: each.channel_id, 41: each.number}
    return fields


def _fixed(fields: dict[int, str], widths: Sequence[int]) -> bytes:
    parts = []
    for place, width in enumerate(widths, 1):
        text = fields.get(place, "").encode("gbk")[:width]
        parts.append(text.rjust(width, b"0") if place in ZM_NUMBERS else text.ljust(width, b" "))
    return b" ".join(parts) + b"\r\n"

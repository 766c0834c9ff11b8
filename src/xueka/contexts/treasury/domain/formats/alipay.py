"""Alipay's statements: business and fund detail (docs/interfaces/statements.md §3).

GBK text with comments around the table; ids carry a tab behind them. Our costs stand below zero.
"""

import csv
import re
from collections.abc import Iterator
from datetime import datetime

from xueka.contexts.treasury.domain.formats.cells import Judge, Row, rows, yuan
from xueka.contexts.treasury.domain.formats.lines import (
    MILLIFEN,
    OTHER,
    PAYMENT,
    REFUND,
    WHOLE_LINE,
    Checked,
    Line,
    columns_of,
    decode,
    refuse,
)

BUSINESS_MEMBER, FUND_MEMBER = "业务明细", "账务明细"
_BUSINESS = ("支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "商家实收（元）")
_REQUEST, _FEE, _GIFT = "退款批次号/请求号", "服务费（元）", "商家优惠（元）"
_INCOME, _OUTGO = "收入金额（+元）", "支出金额（-元）"
_FUND = ("账务流水号", "业务流水号", "商户订单号", "发生时间", _INCOME, _OUTGO, "业务类型")
_KINDS = {"交易": PAYMENT, "退款": REFUND}
_TRADE_TOTAL = re.compile(
    r"#交易合计：(?P<rows>\d+)笔，商家实收共(?P<sum>-?[\d.]+)元(?:，商家优惠共(?P<gift>-?[\d.]+)元)?"
)
_IN_TOTAL = re.compile(r"#收入合计：(?P<rows>\d+)笔，共(?P<sum>-?[\d.]+)元")
_OUT_TOTAL = re.compile(r"#支出合计：(?P<rows>\d+)笔，共(?P<sum>-?[\d.]+)元")
_ACCOUNT = re.compile(r"#账号：\[(\d+)\]")


def read_business(raw: bytes) -> Checked:
    """The business detail. Raises BadInput `STATEMENT_…`."""
    table = _Table(raw, (*_BUSINESS, _REQUEST, _FEE))
    judge, checked = Judge(), Checked(rows=table.rows)
    for row in rows(judge, table.columns, table.cells()):
        if line := _business_line(judge, row, table.account):
            checked.lines.append(line)
    number, found = table.total(_TRADE_TOTAL)
    broken = any(problem.code in ("LINE_CELLS", "LINE_TEXT") for problem in judge.problems)
    judge.total(number, "交易合计", found["rows"], checked.rows, money=False)
    received = None if broken else judge.sum_of("商家实收（元）")
    judge.total(number, "商家实收", found["sum"], received, money=True)
    if found["gift"]:
        judge.total(number, "商家优惠", found["gift"], None if broken else judge.sum_of(_GIFT), money=True)
    table.nothing_else(judge)
    checked.errors = sorted(judge.problems)
    return checked


def _business_line(judge: Judge, row: Row, account: str) -> Line | None:
    """Refunds are below zero in some files and above in others: the kind says which way the money went."""
    before = len(judge.problems)
    of_id = judge.channel_id(row, "支付宝交易号")
    of_number = judge.number(row, "商户订单号")
    kind = judge.one_of(row, "业务类型", _KINDS, "LINE_STATE")
    at = judge.moment(row, "完成时间")
    amount = judge.fen(row, "订单金额（元）")
    received = judge.fen(row, "商家实收（元）")
    fee = judge.millifen(row, _FEE) if row[_FEE] else 0
    refund = kind is not None and _KINDS[kind] == REFUND
    if kind is None:
        judge.add("商家实收（元）", None)
    elif received is not None:
        judge.add("商家实收（元）", (-abs(received) if refund else received) * MILLIFEN)
    judge.add(_GIFT, yuan(row[_GIFT] or "0", 2))
    number = of_number
    if refund:
        # A refund of the whole may come without a request number: then it bears the number of the payment.
        number = judge.number(row, _REQUEST) if row[_REQUEST] else of_number
        judge.once(row, _REQUEST, "refund", f"{of_id} {number}" if of_id and number else None)
    elif kind is not None and row[_REQUEST]:
        judge.note(row.line, _REQUEST, "LINE_STATE", row[_REQUEST], "是交易，却有退款请求号。")
    else:
        judge.once(row, "支付宝交易号", "payment", of_id)
    if amount is not None and (amount == 0 or (amount < 0 and kind is not None and not refund)):
        text = row["订单金额（元）"]
        judge.note(row.line, "订单金额（元）", "LINE_AMOUNT", text, f"的金额“{text}”应大于零。")
    if len(judge.problems) > before or at is None or amount is None or fee is None or kind is None:
        return None
    return Line(
        row.line,
        _KINDS[kind],
        at,
        number or "",
        of_id or "",
        of_number or "",
        of_id or "",
        abs(amount),
        -fee,
        kind,
        "",
        account,
    )


def read_fund(raw: bytes) -> Checked:
    """The fund detail: what came into and went out of the account. Raises BadInput `STATEMENT_…`."""
    table = _Table(raw, _FUND)
    judge, checked = Judge(), Checked(rows=table.rows)
    sides = {_INCOME: [0, 0], _OUTGO: [0, 0]}
    for row in rows(judge, table.columns, table.cells()):
        before = len(judge.problems)
        flow = judge.channel_id(row, "账务流水号")
        at = judge.moment(row, "发生时间")
        amounts = {name: judge.fen(row, name) if row[name] else 0 for name in sides}
        judge.once(row, "账务流水号", "flow", flow)
        moved = [name for name, amount in amounts.items() if amount]
        if len(judge.problems) == before and len(moved) != 1:
            said = "应当恰有收入、支出之一。"
            judge.note(row.line, WHOLE_LINE, "LINE_AMOUNT", "", said)
        if len(judge.problems) > before or at is None or flow is None:
            continue
        amount = amounts[moved[0]] or 0
        sides[moved[0]][0] += 1
        sides[moved[0]][1] += abs(amount) * MILLIFEN
        checked.lines.append(_fund_line(row, at, flow, abs(amount), moved[0] == _INCOME))
    whole = len(checked.lines) == table.rows
    for column, form in ((_INCOME, _IN_TOTAL), (_OUTGO, _OUT_TOTAL)):
        number, found = table.total(form)
        judge.total(number, column, found["rows"], sides[column][0] if whole else None, money=False)
        told = found["sum"].removeprefix("-")
        judge.total(number, column, told, sides[column][1] if whole else None, money=True)
    table.nothing_else(judge)
    checked.errors = sorted(judge.problems)
    return checked


def _fund_line(row: Row, at: datetime, flow: str, amount: int, incoming: bool) -> Line:
    what = row["业务类型"]
    fee = any(word in what for word in ("服务费", "收费", "退费"))
    kind = OTHER
    if not fee and incoming:
        kind = PAYMENT
    elif not fee and "退款" in what:
        kind = REFUND
    cost = (amount * MILLIFEN * (-1 if incoming else 1)) if fee else 0
    number = row["商户订单号"]
    return Line(row.line, kind, at, number, flow, number, row["业务流水号"], amount, cost, what, "", "")


class _Table:
    """The table between the comments, with the lines on which everything stands."""

    def __init__(self, raw: bytes, needed: tuple[str, ...]) -> None:
        lines = decode(raw, "gb18030")
        self._comments = [(n, text) for n, text in enumerate(lines, start=1) if text.startswith("#")]
        body = [
            (n, text) for n, text in enumerate(lines, start=1) if text.strip() and not text.startswith("#")
        ]
        if not body:
            refuse("STATEMENT_CUT", "账单里没有表头。", found=f"{len(lines)} 行", expected="、".join(needed))
        self.columns = columns_of(body[0][1].split(","), needed, body[0][0])
        self._rows = body[1:]
        self.rows = len(self._rows)
        self._used: set[int] = set()
        accounts = [match[1] for _, text in self._comments if (match := _ACCOUNT.match(text))]
        self.account = accounts[0] if accounts else ""

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        for number, text in self._rows:
            # A lone quotation mark in somebody's text quotes nothing.
            quoted = '"' in text and len(next(csv.reader([text]))) == len(self.columns)
            yield number, next(csv.reader([text])) if quoted else text.split(",")

    def total(self, form: re.Pattern[str]) -> tuple[int, dict[str, str]]:
        """The line of a total and its parts. Raises BadInput `STATEMENT_CUT` where the file has none."""
        for number, text in self._comments:
            if match := form.match(text):
                self._used.add(number)
                return number, match.groupdict(default="")
        name = form.pattern.partition("：")[0]
        refuse(
            "STATEMENT_CUT",
            f"账单没有“{name}”一行，可能没有下载完整。",
            found=f"{self.rows} 行",
            expected=name,
        )

    def nothing_else(self, judge: Judge) -> None:
        """Rows stand between the opening and the closing comment."""
        last = max(self._used, default=0)
        for number, text in self._rows:
            if last and number > last:
                judge.note(number, WHOLE_LINE, "LINE_AFTER_TOTALS", text, "在合计行之后。")

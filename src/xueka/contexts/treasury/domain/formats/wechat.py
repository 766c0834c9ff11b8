"""WeChat Pay's statements: trade, fund flow, and non-tax (docs/interfaces/statements.md §2).

Every cell of a row has a backtick in front, so a comma in somebody's text ends no cell. Columns are found by
their names: which there are depends on the kind of statement and on its age.
"""

from collections.abc import Iterator, Sequence
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

_COUNT, _FLOW_COUNT = "总交易单数", "资金流水总笔数"
_TRADE = ("交易时间", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类", "手续费")
_NONTAX = ("交易时间", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类", "总金额", "手续费")
_FLOW = (
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "业务凭证号",
)
#: The old name of a column stands for the new one where a statement has only that.
_AMOUNT = ("订单金额", "总金额", "应结订单金额")
_REFUND_AMOUNT = ("申请退款金额", "退款金额")
_NOTICE = ("缴费通知书编号(或平台订单号)", "缴费通知书编号")

_STATES = {"SUCCESS": PAYMENT, "REFUND": REFUND, "REVOKED": REFUND}
_REFUND_STATES = dict.fromkeys(("SUCCESS", "PROCESSING", "FAIL", "CHANGE"), "")
#: What a fund flow says of itself: the side, and whether it counts or sums.
_FLOW_SUMS = {
    "收入笔数": ("收入", 0),
    "收入金额": ("收入", 1),
    "支出笔数": ("支出", 0),
    "支出金额": ("支出", 1),
}

#: What a file says of itself, and the column that it is the sum of.
_SUMS = {
    "应结订单总金额": "应结订单金额",
    "总交易额": "总金额",
    "退款总金额": "退款金额",
    "总退款金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "总企业红包退款金额": "企业红包退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
_SUMMED = sorted(set(_SUMS.values()))


def read_trade(raw: bytes) -> Checked:
    """A trade statement, of all kinds, payments or refunds. Raises BadInput `STATEMENT_…`."""
    return _read_trade(raw, _TRADE)


def read_nontax(raw: bytes) -> Checked:
    """A statement of the non-tax interface: the lines carry payment codes. Raises BadInput `STATEMENT_…`."""
    return _read_trade(raw, _NONTAX)


def _read_trade(raw: bytes, needed: tuple[str, ...]) -> Checked:
    table = _Table(raw, needed, _COUNT)
    if not any(name in table.columns for name in (*_AMOUNT, *_REFUND_AMOUNT)):
        refuse(
            "STATEMENT_HEADER",
            "账单第 1 行的表头里没有金额列。",
            where="第 1 行",
            expected="、".join((*_AMOUNT, *_REFUND_AMOUNT)),
        )
    judge = Judge()
    checked = Checked(rows=table.rows)
    for row in rows(judge, table.columns, table.cells(judge)):
        line = _trade_line(judge, row)
        if _summed(judge, row) and line:
            checked.lines.append(line)
    table.compare(judge)
    checked.errors = sorted(judge.problems)
    return checked


def _summed(judge: Judge, row: Row) -> bool:
    """Add the row to the sums of its columns. Any cell that stands in a sum must be an amount."""
    sound = True
    for column in (name for name in _SUMMED if name in row):
        millifen = yuan(row[column] or "0", 5)
        judge.add(column, millifen)
        named = {(problem.line, problem.column) for problem in judge.problems[-len(row.cells) :]}
        if millifen is None and (row.line, column) not in named:
            said = f"的金额“{row[column][:60]}”无法识别。"
            judge.note(row.line, column, "LINE_AMOUNT", row[column], said)
        sound &= millifen is not None
    return sound


def _trade_line(judge: Judge, row: Row) -> Line | None:
    before = len(judge.problems)
    at = judge.moment(row, "交易时间")
    of_id = judge.channel_id(row, "微信订单号")
    of_number = judge.number(row, "商户订单号")
    status = judge.one_of(row, "交易状态", _STATES, "LINE_STATE")
    judge.one_of(row, "货币种类", ("CNY",), "LINE_CURRENCY")
    fee = judge.millifen(row, "手续费")
    if status is None:
        return None  # what the other cells should say depends on it
    kind = _STATES[status]
    if kind == PAYMENT:
        amount = judge.fen(row, _present(row, _AMOUNT))
        number, channel_id = of_number, of_id
        judge.once(row, "微信订单号", kind, of_id)
        refunded = judge.fen(row, column) if (column := _present(row, _REFUND_AMOUNT)) in row else 0
        if refunded:
            judge.note(row.line, column, "LINE_AMOUNT", row[column], "是支付，却有退款金额。")
    else:
        amount = judge.fen(row, _present(row, _REFUND_AMOUNT))
        number = judge.number(row, "商户退款单号")
        channel_id = judge.channel_id(row, "微信退款单号")
        judge.once(row, "微信退款单号", kind, channel_id)
        if status == "REFUND":
            status = judge.one_of(row, "退款状态", _REFUND_STATES, "LINE_STATE") or ""
    if amount is not None and amount <= 0:
        column = _present(row, _AMOUNT if kind == PAYMENT else _REFUND_AMOUNT)
        judge.note(row.line, column, "LINE_AMOUNT", row[column], f"的金额“{row[column]}”应大于零。")
    if len(judge.problems) > before or at is None or amount is None or fee is None:
        return None
    notice = row[_present(row, _NOTICE)]
    return Line(
        row.line,
        kind,
        at,
        number or "",
        channel_id or "",
        of_number or "",
        of_id or "",
        amount,
        fee,
        status,
        notice,
        row["商户号"],
    )


def _present(row: Row, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in row), names[0])


def read_fund(raw: bytes) -> Checked:
    """A fund-flow statement: what came into and went out of the account. Raises BadInput `STATEMENT_…`."""
    table = _Table(raw, _FLOW, _FLOW_COUNT)
    judge = Judge()
    checked = Checked(rows=table.rows)
    sides = {"收入": [0, 0], "支出": [0, 0]}
    for row in rows(judge, table.columns, table.cells(judge)):
        before = len(judge.problems)
        at = judge.moment(row, "记账时间")
        flow = judge.channel_id(row, "资金流水单号")
        direction = judge.one_of(row, "收支类型", sides, "LINE_STATE")
        amount = judge.fen(row, "收支金额(元)")
        judge.fen(row, "账户结余(元)")
        judge.once(row, "资金流水单号", "flow", flow)
        if amount is not None and amount < 0:
            judge.note(row.line, "收支金额(元)", "LINE_AMOUNT", row["收支金额(元)"], "的金额不应为负。")
        if len(judge.problems) == before and at and flow and direction and amount is not None:
            checked.lines.append(_flow_line(row, at, flow, amount))
            sides[direction][0] += 1
            sides[direction][1] += amount * MILLIFEN
    whole = len(checked.lines) == table.rows  # a row that cannot be read belongs to one side or the other
    for column, text in table.totals(judge, tuple(_FLOW_SUMS)).items():
        if column == _FLOW_COUNT:
            judge.total(table.totals_line, column, text, table.rows, money=False)
        elif column in _FLOW_SUMS:
            side, place = _FLOW_SUMS[column]
            found = sides[side][place] if whole else None
            judge.total(table.totals_line, column, text, found, money=place == 1)
    checked.errors = sorted(judge.problems)
    return checked


def _flow_line(row: Row, at: datetime, flow: str, amount: int) -> Line:
    """Income from trade is payments, refunds are refunds, fees are fees; the rest (withdrawals) is other."""
    incoming = row["收支类型"] == "收入"
    fee = "手续费" in row["业务类型"]
    kind = OTHER
    if not fee and incoming:
        kind = PAYMENT
    elif not fee and row["业务类型"] == "退款":
        kind = REFUND
    return Line(
        row.line,
        kind,
        at,
        row["业务凭证号"],
        flow,
        row["业务凭证号"],
        row["微信支付业务单号"],
        amount,
        (amount * MILLIFEN * (-1 if incoming else 1)) if fee else 0,
        row["业务类型"],
        "",
        "",
    )


class _Table:
    """Header, rows and totals of one file, where each stands."""

    def __init__(self, raw: bytes, needed: tuple[str, ...], count: str) -> None:
        self._lines = decode(raw, "utf-8-sig")
        self.columns = columns_of(self._lines[0].split(","), needed, 1)
        heads = [place for place, text in enumerate(self._lines) if text.split(",")[0] == count]
        if not heads or heads[0] + 1 >= len(self._lines) or not self._lines[heads[0] + 1].strip():
            refuse(
                "STATEMENT_CUT",
                "账单没有末尾的合计行，可能没有下载完整。",
                found=f"{len(self._lines)} 行",
                expected=count,
            )
        self._head = heads[0]
        self.totals_line = self._head + 2
        self._numbered = [
            (number, text) for number, text in enumerate(self._lines[1 : self._head], start=2) if text.strip()
        ]
        self.rows = len(self._numbered)

    def cells(self, judge: Judge) -> Iterator[tuple[int, list[str]]]:
        for number, text in self._numbered:
            if text.startswith("`"):
                yield number, text[1:].split(",`")
            else:
                judge.note(number, WHOLE_LINE, "LINE_FORM", text, "不以反引号（`）开头，可能被改动过。")

    def totals(self, judge: Judge, needed: Sequence[str]) -> dict[str, str]:
        """What the file says of itself, by column; anything behind it, or left out, is a defect."""
        head = [name.strip() for name in self._lines[self._head].split(",")]
        said = self._lines[self.totals_line - 1].removeprefix("`").split(",`")
        for number, text in enumerate(self._lines[self.totals_line :], start=self.totals_line + 1):
            if text.strip():
                judge.note(number, WHOLE_LINE, "LINE_AFTER_TOTALS", text, "在合计行之后。")
        for name in needed:
            if name not in head:
                judge.note(self._head + 1, name, "TOTAL_FORM", "", "：合计里没有这一项。")
        if len(said) != len(head):
            text = f"的合计有 {len(said)} 个单元格，应有 {len(head)} 个。"
            judge.note(self.totals_line, WHOLE_LINE, "TOTAL_FORM", ",".join(said), text)
            return {}
        return dict(zip(head, (cell.strip() for cell in said), strict=True))

    def compare(self, judge: Judge) -> None:
        """The totals of a trade statement against its rows, as far as every row could be cut into cells."""
        summed = {column for column in self.columns if column in _SUMMED}
        broken = any(problem.code in ("LINE_CELLS", "LINE_FORM", "LINE_TEXT") for problem in judge.problems)
        told = [name for name, column in _SUMS.items() if column in summed and self._names(name)]
        covered = {_SUMS[name] for name in told}
        missing = [name for name, column in _SUMS.items() if column in summed - covered]
        for column, text in self.totals(judge, missing).items():
            if column == _COUNT:
                judge.total(self.totals_line, column, text, self.rows, money=False)
            elif _SUMS.get(column) in self.columns:
                found = None if broken else judge.sum_of(_SUMS[column])
                judge.total(self.totals_line, column, text, found, money=True)

    def _names(self, total: str) -> bool:
        return total in [name.strip() for name in self._lines[self._head].split(",")]

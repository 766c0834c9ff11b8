"""What every statement comes down to: lines, sums, and problems with their place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Never

from xueka.kernel.errors import BadInput, LineProblem

PAYMENT, REFUND, OTHER = "payment", "refund", "other"
WHOLE_LINE = "整行"
MILLIFEN = 1000
"""A thousandth of a fen, the 0.00001 yuan in which channels count their fees: this many are one fen."""


class Line(NamedTuple):
    """One row of a statement.

    `line` is its place in the file as a person counts. `number` is ours (out_trade_no, out_refund_no),
    `channel_id` the channel's; a refund also names its payment in `of_number` and `of_id`. `amount_fen` is
    never negative: `kind` says which way the money went. `fee_millifen` is what it cost us; given back: below
    zero. `at` is the wall clock of Shanghai. `pay_code` is the payment code of non-tax lines.
    """

    line: int
    kind: str
    at: datetime
    number: str
    channel_id: str
    of_number: str
    of_id: str
    amount_fen: int
    fee_millifen: int
    status: str
    pay_code: str
    merchant: str


@dataclass(slots=True)
class Checked:
    """A statement that could be read.

    `rows` counts all rows, the sums those that could be read. Where `errors` is not empty the statement
    contradicts itself or the format, and none of its lines may be used.
    """

    rows: int = 0
    lines: list[Line] = field(default_factory=list)
    errors: list[LineProblem] = field(default_factory=list)

    @property
    def payments(self) -> int:
        return sum(line.kind == PAYMENT for line in self.lines)

    @property
    def refunds(self) -> int:
        return sum(line.kind == REFUND for line in self.lines)

    @property
    def amount_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines if line.kind == PAYMENT)

    @property
    def refund_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines if line.kind == REFUND)

    @property
    def fee_fen(self) -> int:
        """The net cost: summed as it stands, rounded to fen once, halves up."""
        return (sum(line.fee_millifen for line in self.lines) * 2 + MILLIFEN) // (2 * MILLIFEN)

    @property
    def days(self) -> list[date]:
        """The days on which its lines lie."""
        return sorted({line.at.date() for line in self.lines})

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "payments": self.payments,
            "refunds": self.refunds,
            "amount_fen": self.amount_fen,
            "refund_fen": self.refund_fen,
            "fee_fen": self.fee_fen,
            "errors": [error.as_dict() for error in self.errors],
        }


def refuse(
    code: str, message: str, *, where: str = "账单", found: object = None, expected: object = None
) -> Never:
    """Refuse a statement whole: nothing of it can be used."""
    action = "请向渠道重新下载这一天的账单。"
    raise BadInput(code, message, where=where, found=found, expected=expected, action=action)


def decode(raw: bytes, encoding: str) -> list[str]:
    """The lines of a file without their ends. Raises BadInput `STATEMENT_EMPTY`, `STATEMENT_ENCODING`."""
    if not raw.strip():
        refuse("STATEMENT_EMPTY", "账单是空的。", found=f"{len(raw)} 字节")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        refuse(
            "STATEMENT_ENCODING",
            f"账单第 {line} 行有不是 {_ENCODINGS[encoding]} 的字节。",
            where=f"第 {line} 行",
            found=raw[error.start : error.start + 4].hex(" "),
            expected=_ENCODINGS[encoding],
        )
    return [line.removesuffix("\r") for line in text.split("\n")]


_ENCODINGS = {"utf-8-sig": "UTF-8", "gb18030": "GBK"}


def columns_of(header: Sequence[str], needed: Sequence[str], line: int) -> list[str]:
    """The names in a header. Raises BadInput `STATEMENT_HEADER` for a missing or doubled one."""
    names = [name.strip() for name in header]
    if missing := [name for name in needed if name not in names]:
        refuse(
            "STATEMENT_HEADER",
            f"账单第 {line} 行的表头缺少：{'、'.join(missing)}。",
            where=f"第 {line} 行",
            found=",".join(names)[:200],
            expected="、".join(needed),
        )
    if doubled := sorted({name for name in names if name and names.count(name) > 1}):
        refuse(
            "STATEMENT_HEADER",
            f"账单第 {line} 行的表头里“{'、'.join(doubled)}”不止一列。",
            where=f"第 {line} 行",
            found="、".join(doubled),
        )
    return names

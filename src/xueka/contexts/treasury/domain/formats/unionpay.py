"""UnionPay's files ZM (transactions) and ZME (exceptions), fixed width (docs/interfaces/statements.md §4).

The widths are published; what the fields are called is from memory of the specification, and no name is used
that the document does not list. Widths count bytes, so that a Chinese short name does not move the rest.
"""

import re
from datetime import date, datetime
from itertools import accumulate

from xueka.contexts.treasury.domain.formats.cells import CHANNEL_ID, OUR_NUMBER, Judge
from xueka.contexts.treasury.domain.formats.lines import (
    MILLIFEN,
    OTHER,
    PAYMENT,
    REFUND,
    WHOLE_LINE,
    Checked,
    Line,
    refuse,
)

ZM, ZME = "ZM", "ZME"
MEMBER = re.compile(r".*?(?P<day>\d{6})\d{2}(?P<kind>ZME?)_.*", re.ASCII)
"""INN24101488ZM_777290058110097: the settlement day as yymmdd, two digits, the kind, the merchant."""

_WIDTHS = {
    ZM: (
        3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2,
        6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
    ),
    ZME: (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135),
}  # fmt: skip
#: Places of the fields that are read, from 0.
_TIME, _AMOUNT, _QUERY, _ORDER, _FEE, _TYPE, _OF_QUERY, _MERCHANT, _OF_ORDER = 4, 6, 9, 11, 15, 19, 26, 27, 40
_TRACE, _ZME_REASON, _ZME_FEE, _ZME_MERCHANT = 3, 12, 14, 16
_TYPES = {"01": PAYMENT, "04": REFUND, "31": REFUND}
"""消费, 退货, 消费撤销."""
_SEPARATORS = {b" ", b"\t", b"|", b","}
_SIGNED = re.compile(rb"(?P<side>[CD])(?P<fen>\d{12})")


def width(kind: str) -> int:
    """Bytes of a line, the separators included."""
    return sum(_WIDTHS[kind]) + len(_WIDTHS[kind]) - 1


def read(raw: bytes, kind: str, settled_on: date) -> Checked:
    """One file. Its times have no year: they lie in the year before `settled_on`. Raises BadInput."""
    if not raw.strip() and kind == ZME:  # a day without disputes
        return Checked()
    if not raw.strip():
        refuse("STATEMENT_EMPTY", "账单是空的。", found=f"{len(raw)} 字节")
    judge, checked = Judge(), Checked()
    for number, text in enumerate(raw.split(b"\n"), start=1):
        line = text.removesuffix(b"\r")
        if not line.strip():
            continue
        checked.rows += 1
        fields = _fields(judge, number, line, kind)
        if fields and (read := _line(judge, number, fields, kind, settled_on)):
            checked.lines.append(read)
    checked.errors = sorted(judge.problems)
    return checked


def _fields(judge: Judge, number: int, line: bytes, kind: str) -> list[bytes] | None:
    if len(line) != width(kind):
        said = f"有 {len(line)} 个字节，{kind} 文件每行应为 {width(kind)} 个。"
        judge.note(number, WHOLE_LINE, "LINE_WIDTH", str(len(line)), said)
        return None
    ends = list(accumulate(_WIDTHS[kind], lambda end, size: end + 1 + size))
    fields = [line[end - size : end] for end, size in zip(ends, _WIDTHS[kind], strict=True)]
    marks = {line[end : end + 1] for end in ends[:-1]}
    if len(marks) != 1 or not marks <= _SEPARATORS:
        judge.note(number, WHOLE_LINE, "LINE_FORM", "", "各字段之间应以同一个字符（空格）隔开。")
        return None
    return fields


def _line(judge: Judge, number: int, fields: list[bytes], kind: str, settled_on: date) -> Line | None:
    before = len(judge.problems)
    at = _moment(fields[_TIME], settled_on)
    if at is None:
        _note(judge, number, "交易传输时间", "LINE_TIME", fields[_TIME], "应如 1014123900（月日时分秒）。")
    amount = int(fields[_AMOUNT]) if fields[_AMOUNT].isdigit() else None
    if not amount:
        _note(judge, number, "交易金额", "LINE_AMOUNT", fields[_AMOUNT], "应为 12 位数字，单位分，大于零。")
    fee = _signed(fields[_FEE if kind == ZM else _ZME_FEE])
    if fee is None:
        found = fields[_FEE if kind == ZM else _ZME_FEE]
        _note(judge, number, "商户手续费", "LINE_FEE", found, "应为 C 或 D 加 12 位数字。")
    if kind == ZME:
        if len(judge.problems) > before or at is None or not amount or fee is None:
            return None
        trace, reason, merchant = (_text(fields[n]) for n in (_TRACE, _ZME_REASON, _ZME_MERCHANT))
        return Line(number, OTHER, at, "", trace, "", "", amount, fee, reason, "", merchant)
    what = _TYPES.get(_text(fields[_TYPE]))
    if what is None:
        expected = f"应为 {'、'.join(_TYPES)} 之一。"
        _note(judge, number, "交易类型", "LINE_STATE", fields[_TYPE], expected)
    query, order = _text(fields[_QUERY]), _text(fields[_ORDER])
    if not CHANNEL_ID.fullmatch(query):
        _note(judge, number, "查询流水号", "LINE_CHANNEL_ID", fields[_QUERY], "不合规则。")
    else:
        judge.seen_once(number, "查询流水号", "query", query)
    if not OUR_NUMBER.fullmatch(order):
        _note(judge, number, "商户订单号", "LINE_NUMBER", fields[_ORDER], "不合规则。")
    if len(judge.problems) > before or at is None or not amount or fee is None or what is None:
        return None
    refund = what == REFUND
    return Line(
        number,
        what,
        at,
        order,
        query,
        _text(fields[_OF_ORDER]) if refund else order,
        _text(fields[_OF_QUERY]) if refund else query,
        amount,
        fee,
        _text(fields[_TYPE]),
        "",
        _text(fields[_MERCHANT]),
    )


def _note(judge: Judge, number: int, column: str, code: str, found: bytes, said: str) -> None:
    text = _text(found)
    judge.note(number, column, code, text, f"的“{text}”{said}")


def _text(field: bytes) -> str:
    return field.decode("gb18030", "replace").strip()


def _signed(field: bytes) -> int | None:
    """Thousandths of a fen: D is taken from us, C is given back."""
    match = _SIGNED.fullmatch(field)
    if not match:
        return None
    return int(match["fen"]) * MILLIFEN * (1 if match["side"] == b"D" else -1)


def _moment(field: bytes, settled_on: date) -> datetime | None:
    text = _text(field)
    if len(text) != 10 or not text.isascii() or not text.isdecimal():
        return None
    month, day, hour, minute, second = (int(text[n : n + 2]) for n in range(0, 10, 2))
    for year in (settled_on.year, settled_on.year - 1):
        try:
            found = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the wall clock of Shanghai
        except ValueError:
            continue
        if found.date() <= settled_on:
            return found
    return None

"""Workbooks that leave the house (XLSX): every sheet says where it is from, and a last sheet what is in it.

Values are written as what they are; a text that begins like a formula stays a text. The sheet 控制数 holds
rows and sums of every sheet and one digest over all cells: SM3 of the cells as text, joined by tabs, lines by
line feeds, sheets in their order.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import xlsxwriter
from cryptography.hazmat.primitives import hashes

from xueka.kernel import clock

CONTROL = "控制数"


@dataclass(frozen=True, slots=True)
class Sheet:
    """`widths` in characters, in the order of the columns; numbers of a column are summed."""

    title: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    widths: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Who took what away, when, and why; stands on every sheet and in the file's properties.

    `number` is that of an approved export; `filters` say what was chosen.
    """

    title: str
    who: str
    at: datetime
    number: str = ""
    purpose: str = ""
    filters: Sequence[tuple[str, str]] = ()

    @property
    def line(self) -> str:
        """The mark on every sheet."""
        parts = [
            f"{self.who} 于 {clock.local(self.at):%Y-%m-%d %H:%M} 导出",
            self.number and f"编号 {self.number}",
        ]
        return "　".join(filter(None, [*parts, self.purpose and f"用途：{self.purpose}", "请勿外传"]))


@dataclass(slots=True)
class Totals:
    """What was written: rows by sheet, and the digest over all cells (SM3, hex)."""

    rows: dict[str, int] = field(default_factory=dict)
    digest: str = ""


def write(sheets: Sequence[Sheet], origin: Origin) -> tuple[bytes, Totals]:
    """The file and its totals. Rows are streamed: memory holds one row and the finished file."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": True, "strings_to_formulas": False})
    book.set_properties(
        {
            "title": origin.title,
            "author": origin.who,
            "subject": origin.purpose,
            "keywords": origin.number,
            "comments": origin.line,
            "created": clock.local(origin.at).replace(tzinfo=None),
        }
    )
    try:
        totals = _fill(book, sheets, origin)
    finally:
        book.close()  # its temporary files too, when a row could not be read
    return out.getvalue(), totals


def _fill(book: Any, sheets: Sequence[Sheet], origin: Origin) -> Totals:
    digest, totals = hashes.Hash(hashes.SM3()), Totals()
    sums: list[tuple[str, str, Any]] = []
    for sheet in sheets:
        count, added = _write_sheet(book, sheet, origin, digest)
        totals.rows[sheet.title] = count
        sums.append((sheet.title, "行数", count))
        sums += [
            (sheet.title, column, added[place])
            for place, column in enumerate(sheet.columns)
            if place in added
        ]
    totals.digest = digest.finalize().hex()
    _write_control(book, origin, sums, totals.digest)
    return totals


def _write_sheet(
    book: Any, sheet: Sheet, origin: Origin, digest: hashes.Hash
) -> tuple[int, dict[int, int | float]]:
    page = _page(book, sheet.title, origin)
    head = book.add_format({"bold": True, "bottom": 1})
    for place, width in enumerate(sheet.widths or [16] * len(sheet.columns)):
        page.set_column(place, place, width)
    page.write_string(0, 0, origin.line, book.add_format({"font_color": "#8a5a00"}))
    for place, column in enumerate(sheet.columns):
        page.write_string(1, place, column, head)
    page.freeze_panes(2, 0)
    page.repeat_rows(0, 1)
    count, added = 0, dict[int, int | float]()
    for count, row in enumerate(sheet.rows, start=1):
        texts = []
        for place, value in enumerate(row):
            texts.append(_write_cell(page, count + 1, place, value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                added[place] = added.get(place, 0) + value
        digest.update(("\t".join(texts) + "\n").encode())
    return count, added


def _write_cell(page: Any, row: int, column: int, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        page.write_number(row, column, value)
        return str(value)
    text = _text(value)
    page.write_string(row, column, text)
    return text


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "是" if value else "否"
        case datetime():
            return f"{clock.local(value):%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _write_control(book: Any, origin: Origin, sums: Sequence[tuple[str, str, Any]], digest: str) -> None:
    page = _page(book, CONTROL, origin)
    page.set_column(0, 1, 24)
    page.set_column(2, 2, 70)
    page.write_string(0, 0, origin.line)
    rows: list[tuple[str, str, Any]] = [
        ("文件", "名称", origin.title),
        ("文件", "导出人", origin.who),
        ("文件", "导出时间", origin.at),
        ("文件", "编号", origin.number),
        ("文件", "用途", origin.purpose),
        *(("筛选", label, value) for label, value in origin.filters),
        *sums,
        ("摘要", "SM3（全部单元格）", digest),
    ]
    for place, row in enumerate(rows, start=2):
        for column, value in enumerate(row):
            _write_cell(page, place, column, value)


def _page(book: Any, title: str, origin: Origin) -> Any:
    page = book.add_worksheet(title)
    mark = origin.line.replace("&", "&&")[:200]  # & begins a code in heads and feet
    page.set_header(f"&C{mark}")
    page.set_footer(f"&C{mark}　第 &P 页")
    return page

"""One file of a package as a frame: all text, with the line that each row stands in.

A file without quotes is read by polars, when its commas and line ends add up; everything else is read
strictly, row by row, so that a defect is named with its line.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from xueka.contexts.registry.domain.columns import Column, Layout
from xueka.contexts.registry.domain.report import shown
from xueka.contexts.registry.tables.csv_file import broken_text, open_csv
from xueka.contexts.registry.tables.source import Table, Undecodable
from xueka.kernel.errors import BadInput, LineProblem

LINE = "line"
FIRST_LINE = 2


def read_frame(
    file: str, columns: Sequence[Column], content: bytes
) -> tuple[pl.DataFrame, Layout, list[LineProblem]]:
    """The columns found, by name, and `line`; rows of a wrong width are left out and named.

    Raises BadInput with the file's name in front where the file as a whole cannot be read.
    """
    try:
        table = open_csv(columns, content)
        frame = _quick(table.layout, content)
        return (frame, table.layout, []) if frame is not None else _careful(file, table)
    except BadInput as error:
        raise BadInput(
            error.code,
            f"{file}.csv：{error.message}",
            where=f"{file}.csv" + (f" {error.where}" if error.where else ""),
            found=error.found,
            expected=error.expected,
            action=error.action,
            **error.detail,
        ) from None


def empty_frame(columns: Sequence[str]) -> pl.DataFrame:
    schema: dict[str, type[pl.DataType]] = dict.fromkeys(columns, pl.String)
    return pl.DataFrame(schema={LINE: pl.Int64, **schema})


def frame_of(columns: Mapping[str, Sequence[str]], lines: Sequence[int]) -> pl.DataFrame:
    texts = {name: pl.Series(name, values, dtype=pl.String) for name, values in columns.items()}
    return pl.DataFrame({LINE: pl.Series(LINE, lines, dtype=pl.Int64), **texts})


def _quick(layout: Layout, content: bytes) -> pl.DataFrame | None:
    if b'"' in content or not content.endswith(b"\n"):
        return None
    lines = content.count(b"\n")
    if content.count(b",") != lines * (layout.width - 1) or lines < FIRST_LINE:
        return None
    try:
        frame = pl.read_csv(
            content,
            has_header=False,
            skip_lines=1,
            infer_schema=False,
            empty_string_is_null=False,
            quote_char=None,
            encoding="utf8",
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.shape != (lines - 1, layout.width):
        return None
    chosen = [pl.nth(at).alias(key) for key, at in layout.positions.items()]
    return frame.select(*chosen).with_row_index(LINE, FIRST_LINE).with_columns(pl.col(LINE).cast(pl.Int64))


def _careful(file: str, table: Table) -> tuple[pl.DataFrame, Layout, list[LineProblem]]:
    layout = table.layout
    problems = []
    lines: list[int] = []
    kept: list[Sequence[str]] = []
    number = FIRST_LINE - 1
    for chunk in table.chunks():
        try:
            rows = chunk.lines()
        except Undecodable as error:
            raise broken_text(number + 1 + error.line) from None
        for cells in rows:
            number += 1
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != layout.width:
                problems.append(_width(file, number, len(cells), layout.width, cells))
                continue
            lines.append(number)
            kept.append(cells)
    columns = {key: [row[at] for row in kept] for key, at in layout.positions.items()}
    return frame_of(columns, lines), layout, problems


def _width(file: str, line: int, found: int, expected: int, cells: Sequence[str]) -> LineProblem:
    text = (
        f"{file}.csv 第 {line} 行（{shown(cells[0])}）：本行有 {found} 列，表头有 {expected} 列，"
        "各列可能已经错位。这一行没有读取，请导出方改正后再导入。"
    )
    return LineProblem(line, "", "COLUMN_COUNT", str(found), text, f"{file}.csv")

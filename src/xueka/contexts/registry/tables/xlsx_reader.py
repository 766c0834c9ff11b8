"""Reads a workbook in a process of its own: `python -m …xlsx_reader`, the file on standard input.

calamine reserves memory by what a file says of itself, and gives up by ending its process. Here that ends
nobody else's. Answers on standard output, one JSON value a line: the names of further sheets with content,
then lists of lines (cells joined by `SEPARATOR`), then `true` when everything was read. An unreadable file
ends the process before that.
"""

import io
import json
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineSheet, SheetTypeEnum, SheetVisibleEnum, load_workbook

from xueka.contexts.registry.tables.source import CHUNK_LINES, SEPARATOR

MEMORY = 3 * 1024**3
SECONDS = 300
_EXACT = 10**15
"""Numbers from here on may have lost digits in a spreadsheet, which keeps fifteen."""


def main() -> None:
    content = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    book = load_workbook(io.BytesIO(content))
    names = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]
    first = book.get_sheet_by_name(names[0])
    _say([name for name in names[1:] if book.get_sheet_by_name(name).height])
    lines: list[str] = []
    for line in _lines(first):
        lines.append(line)
        if len(lines) == CHUNK_LINES:
            _say(lines)
            lines = []
    _say(lines)
    _say(True)


def _say(value: object) -> None:
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")


def _lines(sheet: CalamineSheet) -> Iterator[str]:
    for row in sheet.iter_rows():
        yield SEPARATOR.join([value if type(value) is str else as_text(value) for value in row])


def as_text(value: float | bool | date | datetime | time | timedelta | str) -> str:
    """A typed cell as the text that a person sees; a number that lost digits in scientific notation."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            if abs(value) >= _EXACT:
                return f"{value:.14E}"
            return str(int(value)) if value == int(value) else repr(value)
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
        case date():
            return value.isoformat()
        case _:
            return str(value)


if __name__ == "__main__":
    main()

"""Files as answers."""

import io
from collections.abc import Iterable
from urllib.parse import quote

import xlsxwriter
from django.http import HttpResponse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx(name: str, content: bytes) -> HttpResponse:
    """A workbook to be saved under `name`."""
    return attachment(name, content, XLSX)


def attachment(name: str, content: bytes, media_type: str) -> HttpResponse:
    """A file to be saved under `name`, never kept by a cache."""
    return HttpResponse(
        content,
        content_type=media_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "Cache-Control": "no-store",
        },
    )


def blank_list(name: str, headings: Iterable[tuple[str, bool]]) -> HttpResponse:
    """An empty list to be filled in: (heading, must be there), every cell text so that no digit is lost."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet(name)
        text = book.add_format({"num_format": "@"})
        needed, further = book.add_format({"bold": True}), book.add_format({"italic": True})
        for column, (heading, required) in enumerate(headings):
            sheet.set_column(column, column, max(12, 2 * len(heading) + 4), text)
            sheet.write_string(0, column, heading, needed if required else further)
        sheet.freeze_panes(1, 0)
    return xlsx(f"{name}.xlsx", out.getvalue())

"""Files as answers."""

from urllib.parse import quote

from django.http import HttpResponse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def xlsx(name: str, content: bytes) -> HttpResponse:
    """A workbook to be saved under `name`, never kept by a cache."""
    return HttpResponse(
        content,
        content_type=XLSX,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
            "Cache-Control": "no-store",
        },
    )

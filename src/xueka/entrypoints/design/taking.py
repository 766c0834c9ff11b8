"""A list taken away as it is shown: a workbook of the rows under the present filters, marked and audited.

Every `DataList` can do it. The address with `xlsx=1` makes the list raise `ListTaken` from inside the view,
after its permission and scope were decided there; the middleware answers with the file.
"""

from collections.abc import Iterator
from datetime import date
from html import unescape
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from xueka.entrypoints.design import paging
from xueka.entrypoints.design.downloads import xlsx
from xueka.entrypoints.design.ui import Badge, Link
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit import services as audit
from xueka.platform.files.workbook import Origin, Sheet, write
from xueka.platform.identity.actor import Actor


class ListTaken(Exception):
    """Somebody wants this list as a file."""

    def __init__(self, listing: Any) -> None:
        super().__init__(listing.name)
        self.listing = listing


def answer(taken: ListTaken, actor: Actor) -> HttpResponse:
    """The file. Raises Refused `LIST_TOO_LONG` beyond `LIST_EXPORT_ROWS`."""
    listing, most = taken.listing, settings.LIST_EXPORT_ROWS
    if listing.total > most:
        raise Refused(
            "LIST_TOO_LONG",
            f"一次最多导出 {most:,} 行。",
            found=listing.count_words,
            action="请先用筛选缩小范围；整份名单请在“名单导出”申请。",
        )
    now = clock.now()
    filters = [(shown.filter.label, shown.chosen_label) for shown in listing.active_filters]
    columns = [column.head_in_workbook for column in listing.columns]
    who = f"{actor.name}（{actor.username}）"
    content, totals = write(
        [Sheet("清单", columns, _rows(listing, most))], Origin(listing.caption, who, now, filters=filters)
    )
    with transaction.atomic():
        audit.record(
            actor,
            "list.export",
            "list",
            listing.name,
            detail={
                "rows": totals.rows["清单"],
                "filters": sorted(shown.filter.name for shown in listing.active_filters),
                "digest": totals.digest,
            },
        )
    return xlsx(f"{listing.caption}-{clock.local(now):%Y%m%d-%H%M}.xlsx", content)


def _rows(listing: Any, most: int) -> Iterator[list[Any]]:
    rows = listing.all_rows
    found = paging.rows_in_steps(rows, most) if isinstance(rows, QuerySet) else islice(rows, most)
    for row in found:
        yield [plain(column.raw(row)) for column in listing.columns]


def plain(value: Any) -> Any:
    """What a cell shows, without its form."""
    match value:
        case Badge() | Link():
            return value.text
        case SafeString():
            return " ".join(unescape(strip_tags(value)).split())
        case None | bool() | int() | float() | date():
            return value
        case _:
            return str(value)

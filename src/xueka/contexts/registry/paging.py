"""Lists in pages by key: a cursor names the last row shown, so pages stay right while rows come and go."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import BooleanField, Model, QuerySet
from django.db.models.expressions import RawSQL

from xueka.kernel.errors import BadInput
from xueka.kernel.foreign import json_of

Row = TypeVar("Row", bound=Model)

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`after` asks for the next page; None when this is the last one."""

    rows: list[Row]
    after: str | None


def page(rows: QuerySet[Row], order: Sequence[str], after: str | None, limit: int) -> Page[Row]:
    """One page of `rows` in `order` (column names of the table itself, the last one unique).

    Raises BadInput `CURSOR_INVALID` for a cursor that this list did not give out.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    if after is not None:
        table = rows.model._meta.db_table
        columns = ", ".join(f'"{table}"."{name}"' for name in order)
        places = ", ".join(["%s"] * len(order))
        beyond = RawSQL(f"({columns}) > ({places})", _key(after, len(order)), BooleanField())  # noqa: S611
        rows = rows.filter(beyond)
    found = list(rows.order_by(*order)[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], _cursor([getattr(found[limit - 1], name) for name in order]))


def _cursor(key: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode("ascii")


def _key(after: str, length: int) -> list[int | str]:
    try:
        key = json_of(base64.urlsafe_b64decode(after.encode("ascii", "replace")))
    except (ValueError, binascii.Error):
        key = None
    if not (isinstance(key, list) and len(key) == length and all(type(part) in (int, str) for part in key)):
        raise BadInput("CURSOR_INVALID", "翻页位置无法识别。", action="请回到列表第一页。")
    return key
